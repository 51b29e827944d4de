/** @file The dashboard: asks the server, and gives every section what is its own. */

import {ApiError} from './data/api.js';
import {h} from './lib/dom.js';
import {parseMetrics} from './lib/prometheus.js';
import {accessForm} from './views/access.js';
import {Comparisons} from './views/comparisons.js';
import {driftBanner, driftView} from './views/drift.js';
import {healthView, metricsView} from './views/health.js';
import {Models} from './views/models.js';
import {Panel, problem} from './views/panel.js';
import {Rollouts} from './views/rollouts.js';
import {Names} from './data/names.js';

const KEY_CODES = ['no-key', 'invalid-key', 'key-scope'];

/** The page. */
export class Dashboard {
  /**
   * @param {import('./data/api.js').Api} api
   * @param {import('./data/key.js').Key} key
   * @param {import('./lib/say.js').Say} say
   */
  constructor(api, key, say) {
    Object.assign(this, {_api: api, _key: key, _say: say});
    this._comparisons = new Comparisons(api, say);
    this._models = new Models(say, api, (words) => this.load(words));
    this._rollouts = new Rollouts(say, api, (words) => this.load(words));
    this._panels = Object.fromEntries(
      ['models', 'rollouts', 'drift', 'health'].map((name) => [name, new Panel(at(name), say)]),
    );
  }

  /** Ask for everything anew. @param {string} [done] what is to be told beside it. */
  async load(done = '') {
    this._tell(done && h('p', {class: 'done', role: 'status'}, done));
    this._status('asking');
    const health = this._health();
    try {
      await this._protected();
      this._open();
    } catch (error) {
      this._refuse(error);
    }
    await health;
    at('updated').textContent = this._say.t('updated', {time: this._say.clock(new Date())});
  }

  /** Forget the key, and all that was shown with it. */
  forget() {
    this._key.forget();
    location.reload();
  }

  /** What needs a key. */
  async _protected() {
    const {models} = await this._api.get('v1/models');
    const names = new Names(models);
    await this._comparisons.load(models, names);
    const [history, rollouts, drift] = await Promise.all(
      ['v1/admin/models/activations', 'v1/admin/rollouts', 'v1/comparisons/drift'].map((path) =>
        settled(this._api.get(path)),
      ),
    );
    this._show('models', history, () => this._models.view(models, history.value));
    this._show('drift', drift, (value) => driftView(value, names, this._say));
    this._show('rollouts', rollouts, (value) => [this._rollouts.view(value.rollouts, alarmedIn(models, drift.value))]);
    this._warn(drift.value && driftBanner(drift.value, names, this._say));
  }

  async _health() {
    const [ready, metrics] = await Promise.all([settled(this._api.get('readyz')), settled(this._api.text('metrics'))]);
    const figures = metrics.value === undefined ? null : parseMetrics(metrics.value);
    if (ready.error) {
      this._status(ready.error.status === 0 ? 'unreachable' : 'not-ready');
      this._panels.health.show(
        problem(ready.error, this._say),
        ...(figures ? metricsView([], figures, this._say) : []),
      );
    } else {
      this._status('ready', ready.value.runtime.name);
      this._panels.health.show(...healthView(ready.value, figures, this._say));
    }
  }

  _show(name, {value, error}, view) {
    if (error) {
      this._panels[name].fail(error, () => this.load());
    } else {
      this._panels[name].show(...view(value));
    }
  }

  _open() {
    at('access').hidden = true;
    at('dashboard').hidden = at('running').hidden = false;
    at('forget').hidden = this._key.value === null;
  }

  _refuse(error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    at('dashboard').hidden = at('running').hidden = true;
    if (!KEY_CODES.includes(error.code)) {
      this._tell(problem(error, this._say));
      return;
    }
    const open = (key) => {
      this._key.keep(key);
      this.load();
    };
    at('forget').hidden = this._key.value === null;
    at('access').hidden = false;
    at('access').replaceChildren(accessForm(error.code === 'no-key' ? null : error, open, this._say));
    at('key').focus();
  }

  _status(state, runtime = '') {
    const words = [this._say.t(`status.${state}`), runtime].filter(Boolean).join(' · ');
    at('status').className = `status ${state}`;
    at('status').textContent = words;
  }

  _tell(node) {
    at('told').replaceChildren(...(node ? [node] : []));
  }

  _warn(node) {
    at('warned').replaceChildren(...(node ? [node] : []));
  }
}

/** Returns whether the drift alarm is on for a file of a model's version. */
function alarmedIn(models, drift) {
  const alarmed = new Set((drift?.files ?? []).filter(({alarm}) => alarm).map((file) => file.artifact_sha256));
  return (name, version) =>
    models.some(
      (model) =>
        model.name === name &&
        model.version === version &&
        model.exports.some((one) => alarmed.has(one.artifact_sha256)),
    );
}

async function settled(promise) {
  try {
    return {value: await promise};
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    return {error};
  }
}

function at(id) {
  return document.getElementById(id);
}
