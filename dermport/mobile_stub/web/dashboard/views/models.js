/** @file The models that the server has, which is live, and how to change that. */

import {h} from '../../lib/dom.js';
import {confirmed} from './confirm.js';
import {table} from './table.js';

/** Shows models; may change which is live. */
export class Models {
  #i18n;
  #api;
  #done;

  /**
   * @param {import('../i18n.js').DashboardI18n} i18n
   * @param {import('../data/api.js').Api} api
   * @param {function(string)} done is told what was done, and shows everything anew.
   */
  constructor(i18n, api, done) {
    this.#i18n = i18n;
    this.#api = api;
    this.#done = done;
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
      this.#table(models, live, history),
      history && this.#buttons(history.rollback, live),
      history?.activations.length > 0 && this.#history(history.activations),
    ];
  }

  #buttons(earlier, live) {
    const i18n = this.#i18n;
    return h('div', {class: 'buttons'},
      earlier && this.#button(i18n.t('models.rollback', earlier), () => this.#askRollback(earlier, live)),
      this.#button(i18n.t('models.rescan'), () => this.#rescan()));
  }

  #table(models, live, history) {
    const i18n = this.#i18n;
    const rows = [...models].sort((a, b) => Boolean(b.live) - Boolean(a.live));
    return table(i18n.t('models.heading'), [
      {title: i18n.t('models.model'), cell: ({name, version}) => `${name} ${version}`},
      {title: i18n.t('models.state'), cell: (model) => this.#state(model, history?.activations ?? [])},
      {
        title: i18n.t('models.runtime'),
        cell: ({live: served, runtime}) =>
          served && [runtime.name, h('small', {}, `${served.target} ${served.precision}`)],
        kind: 'wide',
      },
      {title: i18n.t('models.exports'), cell: (model) => exportsOf(model), kind: 'wide'},
      {
        title: h('span', {class: 'unseen'}, i18n.t('models.change')),
        cell: (model) =>
          history && !model.live && this.#button(i18n.t('models.activate'), () => this.#askActivate(model, live)),
        kind: 'number',
      },
    ], rows);
  }

  #state(model, activations) {
    if (model.live) return h('span', {class: 'badge good'}, this.#i18n.t('models.live'));
    // The activation after its own is when another took over.
    const own = activations.findIndex(({name, version}) => name === model.name && version === model.version);
    const until = activations[own - 1]?.activated;
    return h('span', {class: 'quiet'},
      until ? this.#i18n.t('models.earlier', {time: this.#i18n.time(until)}) : this.#i18n.t('models.never'));
  }

  #history(activations) {
    const i18n = this.#i18n;
    return h('details', {},
      h('summary', {}, i18n.t('models.history')),
      table(
        i18n.t('models.history'),
        [
          {title: i18n.t('models.model'), cell: ({name, version}) => `${name} ${version}`},
          {title: i18n.t('models.since'), cell: ({activated}) => i18n.time(activated)},
          {title: i18n.t('models.who'), cell: ({who}) => this.#who(who)},
        ],
        activations));
  }

  #who(id) {
    return this.#i18n.tOr(`models.who.${id}`, this.#i18n.t('models.who.key', {id}));
  }

  #button(text, onclick) {
    return h('button', {type: 'button', onclick}, text);
  }

  #askActivate({name, version}, live) {
    const act = () => this.#api.change('POST', 'v1/admin/models/activate', {name, version});
    this.#ask('models.activate', {name, version, live: named(live)}, this.#i18n.t('models.activate'), act);
  }

  #askRollback(earlier, live) {
    const act = () => this.#api.change('POST', 'v1/admin/models/rollback');
    this.#ask('models.rollback', {...earlier, live: named(live)}, this.#i18n.t('models.rollback', earlier), act);
  }

  async #ask(key, values, action, change) {
    const i18n = this.#i18n;
    let told = '';
    const act = async () => {
      const {name, version, remembered} = await change();
      told = [i18n.t('models.done', {name, version}), !remembered && i18n.t('models.not-remembered')]
        .filter(Boolean)
        .join(' ');
    };
    const words = [i18n.t(`${key}.words`, values)];
    if (await confirmed({title: i18n.t(`${key}.title`, values), words, action, risky: true, act}, i18n)) this.#done(told);
  }

  async #rescan() {
    const act = () => this.#api.change('POST', 'v1/admin/models/rescan');
    const question = {
      title: this.#i18n.t('models.rescan'),
      words: [this.#i18n.t('models.rescan.words')],
      action: this.#i18n.t('models.rescan'),
      act,
    };
    if (await confirmed(question, this.#i18n)) this.#done('');
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
