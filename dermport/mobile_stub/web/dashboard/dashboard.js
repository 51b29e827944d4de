/** @file The dashboard: asks the server, and gives every section what is its own. */

import {byId, fill, h} from '../lib/dom.js';
import {ApiError} from './data/api.js';
import {Names} from './data/names.js';
import {parseMetrics} from './data/prometheus.js';
import {accessForm} from './views/access.js';
import {Comparisons} from './views/comparisons.js';
import {driftBanner, driftView} from './views/drift.js';
import {healthView, metricsView} from './views/health.js';
import {Models} from './views/models.js';
import {Panel, problem} from './views/panel.js';
import {Rollouts} from './views/rollouts.js';

const KEY_CODES = ['no-key', 'invalid-key', 'key-scope'];

/** The page. */
export class Dashboard {
  #api;
  #key;
  #i18n;
  #comparisons;
  #models;
  #rollouts;
  #panels;

  /**
   * @param {import('./data/api.js').Api} api
   * @param {import('./data/key.js').Key} key
   * @param {import('./i18n.js').DashboardI18n} i18n
   */
  constructor(api, key, i18n) {
    this.#api = api;
    this.#key = key;
    this.#i18n = i18n;
    this.#comparisons = new Comparisons(api, i18n);
    this.#models = new Models(i18n, api, (words) => this.load(words));
    this.#rollouts = new Rollouts(i18n, api, (words) => this.load(words));
    this.#panels = Object.fromEntries(
      ['models', 'rollouts', 'drift', 'health'].map((name) => [name, new Panel(byId(name), i18n)]),
    );
  }

  /** Ask for everything anew. @param {string} [done] what is to be told beside it. */
  async load(done = '') {
    this.#tell(done ? h('p', {class: 'done', role: 'status'}, done) : null);
    this.#status('asking');
    const health = this.#health();
    try {
      await this.#protected();
      this.#open();
    } catch (error) {
      this.#refuse(error);
    }
    await health;
    byId('updated').textContent = this.#i18n.t('updated', {time: this.#i18n.clock(new Date())});
  }

  /** Forget the key, and all that was shown with it. */
  forget() {
    this.#key.forget();
    location.reload();
  }

  /** What needs a key. */
  async #protected() {
    const {models} = await this.#api.get('v1/models');
    const names = new Names(models);
    await this.#comparisons.load(models, names);
    const [history, rollouts, drift] = await Promise.all(
      ['v1/admin/models/activations', 'v1/admin/rollouts', 'v1/comparisons/drift'].map((path) =>
        settled(this.#api.get(path)),
      ),
    );
    this.#show('models', history, () => this.#models.view(models, history.value));
    this.#show('drift', drift, (value) => driftView(value, names, this.#i18n));
    this.#show('rollouts', rollouts, (value) => [this.#rollouts.view(value.rollouts, alarmedIn(models, drift.value))]);
    fill(byId('warned'), drift.value && driftBanner(drift.value, names, this.#i18n));
  }

  async #health() {
    const [ready, metrics] = await Promise.all([settled(this.#api.get('readyz')), settled(this.#api.text('metrics'))]);
    const figures = metrics.value === undefined ? null : parseMetrics(metrics.value);
    if (ready.error) {
      this.#status(ready.error.status === 0 ? 'unreachable' : 'not-ready');
      this.#panels.health.show(
        problem(ready.error, this.#i18n),
        ...(figures ? metricsView([], figures, this.#i18n) : []),
      );
    } else {
      this.#status('ready', ready.value.runtime.name);
      this.#panels.health.show(...healthView(ready.value, figures, this.#i18n));
    }
  }

  #show(name, {value, error}, view) {
    if (error) {
      this.#panels[name].fail(error, () => this.load());
    } else {
      this.#panels[name].show(...view(value));
    }
  }

  #open() {
    byId('access').hidden = true;
    byId('dashboard').hidden = byId('running').hidden = false;
    byId('forget').hidden = this.#key.value === null;
  }

  #refuse(error) {
    if (!(error instanceof ApiError)) throw error;
    byId('dashboard').hidden = byId('running').hidden = true;
    if (!KEY_CODES.includes(error.code)) {
      this.#tell(problem(error, this.#i18n));
      return;
    }
    const open = (key) => {
      this.#key.keep(key);
      this.load();
    };
    byId('forget').hidden = this.#key.value === null;
    byId('access').hidden = false;
    fill(byId('access'), accessForm(error.code === 'no-key' ? null : error, open, this.#i18n));
    byId('key').focus();
  }

  #status(state, runtime = '') {
    const words = [this.#i18n.t(`status.${state}`), runtime].filter(Boolean).join(' · ');
    byId('status').className = `status ${state}`;
    byId('status').textContent = words;
  }

  #tell(node) {
    fill(byId('told'), node);
  }
}

/** Returns whether the drift alarm is on for a file of a model's version. */
function alarmedIn(models, drift) {
  const alarmed = new Set((drift?.files ?? []).filter(({alarm}) => alarm).map((file) => file.artifact_sha256));
  const isAlarmed = (model) => model.exports.some((one) => alarmed.has(one.artifact_sha256));
  return (name, version) =>
    models.some((model) => model.name === name && model.version === version && isAlarmed(model));
}

async function settled(promise) {
  try {
    return {value: await promise};
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return {error};
  }
}
