/** @file Everything that is counted from comparisons, and the filters that say from which. */

import {ApiError} from '../data/api.js';
import {Filters} from '../data/filters.js';
import {Names} from '../data/names.js';
import {h} from '../lib/dom.js';
import {apart} from './apart.js';
import {causeList} from './causes.js';
import {FilterBar} from './filterbar.js';
import {Groups} from './groups.js';
import {Latest} from './latest.js';
import {OverTime} from './overtime.js';
import {Panel, problem} from './panel.js';
import {totals} from './totals.js';

const PANELS = ['totals', 'agreement', 'changes', 'groups', 'causes', 'latest'];
const PAGE = '10';
const COMMAND = 'dermport compare artifacts/MODEL --server URL photos/';

/** The upper part of the page. */
export class Comparisons {
  /**
   * @param {import('../data/api.js').Api} api
   * @param {import('../lib/say.js').Say} say
   */
  constructor(api, say) {
    Object.assign(this, {_api: api, _say: say, _filters: Filters.read(location.hash), _asked: 0, _names: new Names()});
    this._panels = Object.fromEntries(PANELS.map((name) => [name, new Panel(at(name), say)]));
    this._bar = new FilterBar(
      at('filters').querySelector('form'),
      say,
      (changes) => this._change(this._filters.with(changes)),
      () => this._change(new Filters({days: this._filters.days})),
    );
    this._overTime = new OverTime(say);
    this._groups = new Groups(say, (changes) => this._change(this._filters.with(changes)));
    this._latest = new Latest(say, (cursor) => this._page({cursor}));
    this._which = 'false';
    this._known = {models: [], artifacts: new Set(), devices: new Set()};
    at('csv').addEventListener('click', () => this._csv());
    window.addEventListener('hashchange', () => this._change(Filters.read(location.hash)));
  }

  /**
   * Ask for everything anew.
   * @param {Object[]} models of `GET /v1/models`.
   * @param {Names} names
   * @throws {ApiError} the server has no figures for this key.
   */
  async load(models, names) {
    this._names = names;
    this._known.models = models;
    const asked = (this._asked += 1);
    Object.values(this._panels).forEach((panel) => panel.wait());
    const [summary, first] = await Promise.all([this._api.get('v1/comparisons/summary', this._query()), this._page()]);
    if (asked === this._asked) {
      // what was asked last is shown, whatever comes last
      this._remember(summary);
      this._show(summary, first);
    }
  }

  async _change(filters) {
    this._filters = filters;
    history.replaceState(null, '', `#${filters.write()}`);
    try {
      await this.load(this._known.models, this._names);
    } catch (error) {
      this._fail(error);
    }
  }

  _fail(error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    this._showFilters();
    this._open(false);
    this._panels.totals.fail(error, () => this._change(this._filters));
  }

  /** What there is to choose from grows with what was seen: a filter must not take away the others. */
  _remember({artifacts, devices}) {
    artifacts.forEach(({key}) => this._known.artifacts.add(key));
    devices.forEach(({key}) => this._known.devices.add(key));
  }

  _show(summary, first) {
    const say = this._say;
    this._showFilters();
    this._open(summary.total.comparisons > 0);
    if (summary.total.comparisons === 0) {
      this._panels.totals.show(this._nothing());
      return;
    }
    this._panels.totals.show(totals(summary, say));
    this._panels.agreement.show(this._overTime.view(summary.days, this._filters.span(Date.now())));
    this._panels.changes.show(...apart(summary, say));
    this._panels.groups.show(this._groups.view(summary, this._names));
    this._panels.causes.show(
      causeList(summary.causes, this._filters.cause, (cause) => this._change(this._filters.with({cause})), say),
    );
    this._showLatest(first);
  }

  _showFilters() {
    const {models, artifacts, devices} = this._known;
    this._bar.show(this._filters, {models, artifacts: [...artifacts], devices: [...devices].sort()}, this._names);
  }

  _showLatest(first) {
    const free = this._filters.agrees === '';
    const different = (free ? this._which : this._filters.agrees) === 'false';
    at('latest').querySelector('h2').textContent = this._say.t(different ? 'latest.heading' : 'latest.heading.all');
    at('latest')
      .querySelector('.choice')
      .replaceChildren(...(free ? [this._latest.choice(this._which, (which) => this._choose(which))] : []));
    this._panels.latest.show(this._latest.view(first, this._names));
  }

  async _choose(which) {
    this._which = which;
    this._panels.latest.wait();
    try {
      this._showLatest(await this._page());
      at('latest').querySelector('.choice input:checked').focus();
    } catch (error) {
      this._panels.latest.fail(error, () => this._choose(which));
    }
  }

  _nothing() {
    const say = this._say;
    if (this._filters.narrowed || this._filters.days !== 'all') {
      const all = () => this._change(new Filters({days: 'all'}));
      return h(
        'div',
        {class: 'empty'},
        h('p', {}, say.t('empty.filtered')),
        h('button', {type: 'button', onclick: all}, say.t('empty.all')),
      );
    }
    return h(
      'div',
      {class: 'empty'},
      h('h2', {}, say.t('empty.heading')),
      h('p', {}, `${say.t('empty.words')} `, h('code', {}, COMMAND)),
    );
  }

  _open(hasFigures) {
    at('comparing').hidden = at('latest').hidden = !hasFigures;
    at('csv').disabled = !hasFigures;
  }

  _query(others = {}) {
    return this._filters.query(Date.now(), others);
  }

  _page(others = {}) {
    const which = this._filters.agrees === '' && this._which ? {agrees: this._which} : {};
    return this._api.get('v1/comparisons', this._query({limit: PAGE, ...which, ...others}));
  }

  async _csv() {
    at('csv').disabled = true;
    try {
      const file = URL.createObjectURL(await this._api.file('v1/comparisons.csv', this._query()));
      h('a', {href: file, download: 'comparisons.csv'}).click();
      URL.revokeObjectURL(file);
    } catch (error) {
      at('told').replaceChildren(problem(error, this._say));
    } finally {
      at('csv').disabled = false;
    }
  }
}

function at(id) {
  return document.getElementById(id);
}
