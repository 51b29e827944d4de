/** @file Roll-outs: how far each has come, why it is paused, and how to change that. */

import {h} from '../../lib/dom.js';
import {filledBar} from '../plots/span.js';
import {confirmed} from './confirm.js';

const COMMAND = 'dermport models rollout NAME VERSION --platform android --percentage 10';

/** Shows roll-outs; may pause, resume and widen them. */
export class Rollouts {
  #i18n;
  #api;
  #done;

  /**
   * @param {import('../i18n.js').DashboardI18n} i18n
   * @param {import('../data/api.js').Api} api
   * @param {function(string)} done shows everything anew.
   */
  constructor(i18n, api, done) {
    this.#i18n = i18n;
    this.#api = api;
    this.#done = done;
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
      return h('p', {class: 'quiet'}, `${this.#i18n.t('rollouts.none')} `, h('code', {}, COMMAND));
    }
    return h('ul', {class: 'rollouts'},
      rollouts.map((rollout) => this.#item(rollout, alarmed(rollout.model, rollout.candidate))));
  }

  #item(rollout, alarmed) {
    const i18n = this.#i18n;
    const {percentage, paused, pause_reason: reason, minimum_app_version: version, updated} = rollout;
    const facts = [
      i18n.t('rollouts.share', {percentage}),
      version && i18n.t('rollouts.minimum', {version}),
      i18n.t('rollouts.updated', {time: i18n.time(updated)}),
    ];
    return h('li', {},
      h(
        'h3',
        {},
        i18n.t('rollouts.title', rollout),
        ' ',
        h('span', {class: `badge ${paused ? 'bad' : 'good'}`}, i18n.t(paused ? 'rollouts.paused' : 'rollouts.running')),
      ),
      filledBar(percentage / 100, paused ? 'stopped' : 'running'),
      h('p', {class: 'quiet'}, facts.filter(Boolean).join(' · ')),
      paused && reason && h('p', {class: 'reason'}, reason),
      h('div', {class: 'buttons'},
        paused
          ? this.#button('rollouts.resume', () => this.#askResume(rollout, alarmed))
          : this.#button('rollouts.pause', () => this.#askPause(rollout)),
        this.#button('rollouts.change', () => this.#askShare(rollout))));
  }

  #button(key, onclick) {
    return h('button', {type: 'button', onclick}, this.#i18n.t(key));
  }

  #askPause(rollout) {
    const input = h('input', {name: 'reason', maxlength: 1000, autocomplete: 'off'});
    const words = [this.#i18n.t('rollouts.pause.words'), h('label', {}, this.#i18n.t('rollouts.pause.reason'), input)];
    const changes = (said) => ({paused: true, pause_reason: said.get('reason').trim()});
    this.#ask('rollouts.pause', rollout, words, changes, true);
  }

  #askResume(rollout, alarmed) {
    const warning = h('p', {class: 'reason'}, this.#i18n.t('rollouts.resume.alarm'));
    const words = [this.#i18n.t('rollouts.resume.words', rollout), ...(alarmed ? [warning] : [])];
    this.#ask('rollouts.resume', rollout, words, () => ({paused: false, pause_reason: ''}), alarmed);
  }

  #askShare(rollout) {
    const limits = {type: 'number', min: 0, max: 100, step: 1, required: true};
    const input = h('input', {name: 'share', ...limits, value: rollout.percentage});
    const words = [
      this.#i18n.t('rollouts.change.words', rollout),
      h('label', {}, this.#i18n.t('rollouts.change.label'), input),
    ];
    this.#ask('rollouts.change', rollout, words, (said) => ({percentage: Number(said.get('share'))}), false);
  }

  async #ask(key, rollout, words, changes, risky) {
    const {updated, ...wish} = rollout;
    const act = (said) => this.#api.change('PUT', 'v1/admin/rollouts', {...wish, ...changes(said)});
    const question = {title: this.#i18n.t(`${key}.title`, rollout), words, action: this.#i18n.t(key), risky, act};
    if (await confirmed(question, this.#i18n)) this.#done('');
  }
}
