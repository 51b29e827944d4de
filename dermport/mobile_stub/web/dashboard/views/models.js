/** @file The models that the server has, which is live, and how to change that. */

import {h} from '../lib/dom.js';
import {table} from '../lib/table.js';
import {ask} from './ask.js';

/** Shows models; may change which is live. */
export class Models {
  /**
   * @param {import('../lib/say.js').Say} say
   * @param {import('../data/api.js').Api} api
   * @param {function(string)} done is told what was done, and shows everything anew.
   */
  constructor(say, api, done) {
    this._say = say;
    this._api = api;
    this._done = done;
  }

  /**
   * Return the view.
   * @param {Object[]} models of `GET /v1/models`.
   * @param {?{activations: Object[], rollback: ?Object}} history null where the key does not open it: then nothing
   *   can be changed.
   * @returns {Array<?HTMLElement>}
   */
  view(models, history) {
    const live = models.find((model) => model.live);
    return [
      this._table(models, live, history),
      history &&
        h(
          'div',
          {class: 'buttons'},
          history.rollback &&
            this._button(this._say.t('models.rollback', history.rollback), () =>
              this._askRollback(history.rollback, live),
            ),
          this._button(this._say.t('models.rescan'), () => this._rescan()),
        ),
      history?.activations.length > 0 && this._history(history.activations),
    ];
  }

  _table(models, live, history) {
    const say = this._say;
    const rows = [...models].sort((a, b) => Boolean(b.live) - Boolean(a.live));
    return table(
      say.t('models.heading'),
      [
        {title: say.t('models.model'), cell: ({name, version}) => `${name} ${version}`},
        {title: say.t('models.state'), cell: (model) => this._state(model, history?.activations ?? [])},
        {
          title: say.t('models.runtime'),
          cell: ({live: served, runtime}) =>
            served && [runtime.name, h('small', {}, `${served.target} ${served.precision}`)],
          kind: 'wide',
        },
        {title: say.t('models.exports'), cell: (model) => exportsOf(model), kind: 'wide'},
        {
          title: h('span', {class: 'unseen'}, say.t('models.change')),
          cell: (model) =>
            history && !model.live && this._button(say.t('models.activate'), () => this._askActivate(model, live)),
          kind: 'number',
        },
      ],
      rows,
    );
  }

  _state(model, activations) {
    if (model.live) {
      return h('span', {class: 'badge good'}, this._say.t('models.live'));
    }
    // The activation after its own is when another took over.
    const own = activations.findIndex(({name, version}) => name === model.name && version === model.version);
    const until = activations[own - 1]?.activated;
    return h(
      'span',
      {class: 'quiet'},
      until ? this._say.t('models.earlier', {time: this._say.time(until)}) : this._say.t('models.never'),
    );
  }

  _history(activations) {
    const say = this._say;
    return h(
      'details',
      {},
      h('summary', {}, say.t('models.history')),
      table(
        say.t('models.history'),
        [
          {title: say.t('models.model'), cell: ({name, version}) => `${name} ${version}`},
          {title: say.t('models.since'), cell: ({activated}) => say.time(activated)},
          {
            title: say.t('models.who'),
            cell: ({who}) =>
              say.knows(`models.who.${who}`) ? say.t(`models.who.${who}`) : say.t('models.who.key', {id: who}),
          },
        ],
        activations,
      ),
    );
  }

  _button(text, onclick) {
    return h('button', {type: 'button', onclick}, text);
  }

  _askActivate({name, version}, live) {
    const act = () => this._api.change('POST', 'v1/admin/models/activate', {name, version});
    this._ask('models.activate', {name, version, live: named(live)}, this._say.t('models.activate'), act);
  }

  _askRollback(earlier, live) {
    const act = () => this._api.change('POST', 'v1/admin/models/rollback');
    this._ask('models.rollback', {...earlier, live: named(live)}, this._say.t('models.rollback', earlier), act);
  }

  async _ask(key, values, action, change) {
    const say = this._say;
    let told = '';
    const act = async () => {
      const {name, version, remembered} = await change();
      told = [say.t('models.done', {name, version}), !remembered && say.t('models.not-remembered')]
        .filter(Boolean)
        .join(' ');
    };
    const words = [say.t(`${key}.words`, values)];
    if (await ask({title: say.t(`${key}.title`, values), words, action, risky: true, act}, say)) {
      this._done(told);
    }
  }

  async _rescan() {
    const act = () => this._api.change('POST', 'v1/admin/models/rescan');
    const question = {
      title: this._say.t('models.rescan'),
      words: [this._say.t('models.rescan.words')],
      action: this._say.t('models.rescan'),
      act,
    };
    if (await ask(question, this._say)) {
      this._done('');
    }
  }
}

function exportsOf({exports}) {
  const precisions = (target) =>
    exports
      .filter((one) => one.target === target)
      .map(({precision}) => precision)
      .join(', ');
  const targets = [...new Set(exports.map(({target}) => target))];
  return targets.map((target) => h('span', {class: 'line'}, `${target}: ${precisions(target)}`));
}

function named(model) {
  return model ? `${model.name} ${model.version}` : '–';
}
