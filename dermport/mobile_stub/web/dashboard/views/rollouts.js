/** @file Roll-outs: how far each has come, why it is paused, and how to change that. */

import {h} from '../lib/dom.js';
import {filledBar} from '../plots/span.js';
import {ask} from './ask.js';

const COMMAND = 'dermport models rollout NAME VERSION --platform android --percentage 10';

/** Shows roll-outs; may pause, resume and widen them. */
export class Rollouts {
  /**
   * @param {import('../lib/say.js').Say} say
   * @param {import('../data/api.js').Api} api
   * @param {function(string)} done shows everything anew.
   */
  constructor(say, api, done) {
    this._say = say;
    this._api = api;
    this._done = done;
  }

  /**
   * Return the view.
   * @param {Object[]} rollouts of `GET /v1/admin/rollouts`.
   * @param {function(string, string): boolean} alarmed
   *   whether the drift alarm is on for a file of that model and version.
   * @returns {HTMLElement}
   */
  view(rollouts, alarmed) {
    if (rollouts.length === 0) {
      return h('p', {class: 'quiet'}, `${this._say.t('rollouts.none')} `, h('code', {}, COMMAND));
    }
    return h(
      'ul',
      {class: 'rollouts'},
      rollouts.map((rollout) => this._item(rollout, alarmed(rollout.model, rollout.candidate))),
    );
  }

  _item(rollout, alarmed) {
    const say = this._say;
    const {percentage, paused, pause_reason: reason, minimum_app_version: version, updated} = rollout;
    const facts = [
      say.t('rollouts.share', {percentage}),
      version && say.t('rollouts.minimum', {version}),
      say.t('rollouts.updated', {time: say.time(updated)}),
    ];
    return h(
      'li',
      {},
      h(
        'h3',
        {},
        say.t('rollouts.title', rollout),
        ' ',
        h('span', {class: `badge ${paused ? 'bad' : 'good'}`}, say.t(paused ? 'rollouts.paused' : 'rollouts.running')),
      ),
      filledBar(percentage / 100, paused ? 'stopped' : 'running'),
      h('p', {class: 'quiet'}, facts.filter(Boolean).join(' · ')),
      paused && reason && h('p', {class: 'reason'}, reason),
      h(
        'div',
        {class: 'buttons'},
        paused
          ? this._button('rollouts.resume', () => this._askResume(rollout, alarmed))
          : this._button('rollouts.pause', () => this._askPause(rollout)),
        this._button('rollouts.change', () => this._askShare(rollout)),
      ),
    );
  }

  _button(key, onclick) {
    return h('button', {type: 'button', onclick}, this._say.t(key));
  }

  _askPause(rollout) {
    const input = h('input', {name: 'reason', maxlength: 1000, autocomplete: 'off'});
    const words = [this._say.t('rollouts.pause.words'), h('label', {}, this._say.t('rollouts.pause.reason'), input)];
    this._ask(
      'rollouts.pause',
      rollout,
      words,
      (said) => ({paused: true, pause_reason: said.get('reason').trim()}),
      true,
    );
  }

  _askResume(rollout, alarmed) {
    const warning = h('p', {class: 'reason'}, this._say.t('rollouts.resume.alarm'));
    const words = [this._say.t('rollouts.resume.words', rollout), ...(alarmed ? [warning] : [])];
    this._ask('rollouts.resume', rollout, words, () => ({paused: false, pause_reason: ''}), alarmed);
  }

  _askShare(rollout) {
    const input = h('input', {
      name: 'share',
      type: 'number',
      min: 0,
      max: 100,
      step: 1,
      required: true,
      value: rollout.percentage,
    });
    const words = [
      this._say.t('rollouts.change.words', rollout),
      h('label', {}, this._say.t('rollouts.change.label'), input),
    ];
    this._ask('rollouts.change', rollout, words, (said) => ({percentage: Number(said.get('share'))}), false);
  }

  async _ask(key, rollout, words, changes, risky) {
    const {updated, ...wish} = rollout;
    const act = (said) => this._api.change('PUT', 'v1/admin/rollouts', {...wish, ...changes(said)});
    const question = {title: this._say.t(`${key}.title`, rollout), words, action: this._say.t(key), risky, act};
    if (await ask(question, this._say)) {
      this._done('');
    }
  }
}
