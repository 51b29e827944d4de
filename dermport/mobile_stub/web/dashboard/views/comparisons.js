/** @file Everything that is counted from comparisons, and the filters that say from which. */

import {byId, fill, h, save} from '../../lib/dom.js';
import {ApiError} from '../data/api.js';
import {Filters} from '../data/filters.js';
import {Names} from '../data/names.js';
import {changesPlot} from '../plots/changes.js';
import {figures} from '../plots/plot.js';
import {AgreementByDay} from './agreement-by-day.js';
import {causeList} from './causes.js';
import {FilterBar} from './filter-bar.js';
import {Groups} from './groups.js';
import {LatestComparisons} from './latest-comparisons.js';
import {Panel, problem} from './panel.js';
import {table} from './table.js';
import {totals} from './totals.js';

const PANELS = ['totals', 'agreement', 'changes', 'groups', 'causes', 'latest'];
const PAGE = '10';
const COMMAND = 'dermport compare artifacts/MODEL --server URL photos/';

/** The upper part of the page. */
export class Comparisons {
  #api;
  #i18n;
  #filters;
  #asked;
  #names;
  #panels;
  #bar;
  #agreement;
  #groups;
  #latest;
  #which;
  #known;

  /**
   * @param {import('../data/api.js').Api} api
   * @param {import('../i18n.js').DashboardI18n} i18n
   */
  constructor(api, i18n) {
    this.#api = api;
    this.#i18n = i18n;
    this.#filters = Filters.read(location.hash);
    this.#asked = 0;
    this.#names = new Names();
    this.#panels = Object.fromEntries(PANELS.map((name) => [name, new Panel(byId(name), i18n)]));
    this.#bar = new FilterBar(
      byId('filters').querySelector('form'),
      i18n,
      (changes) => this.#change(this.#filters.with(changes)),
      () => this.#change(new Filters({days: this.#filters.days})),
    );
    this.#agreement = new AgreementByDay(i18n);
    this.#groups = new Groups(i18n, (changes) => this.#change(this.#filters.with(changes)));
    this.#latest = new LatestComparisons(i18n, (cursor) => this.#page({cursor}));
    this.#which = 'false';
    this.#known = {models: [], artifacts: new Set(), devices: new Set()};
    byId('csv').addEventListener('click', () => this.#csv());
    window.addEventListener('hashchange', () => this.#change(Filters.read(location.hash)));
  }

  /**
   * Ask for everything anew.
   * @param {Object[]} models of `GET /v1/models`.
   * @param {Names} names
   * @throws {ApiError} the server has no figures for this key.
   */
  async load(models, names) {
    this.#names = names;
    this.#known.models = models;
    const asked = (this.#asked += 1);
    Object.values(this.#panels).forEach((panel) => panel.wait());
    const [summary, first] = await Promise.all([this.#api.get('v1/comparisons/summary', this.#query()), this.#page()]);
    if (asked === this.#asked) {
      // what was asked last is shown, whatever comes last
      this.#remember(summary);
      this.#show(summary, first);
    }
  }

  async #change(filters) {
    this.#filters = filters;
    history.replaceState(null, '', `#${filters.write()}`);
    try {
      await this.load(this.#known.models, this.#names);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#showFilters();
    this.#open(false);
    this.#panels.totals.fail(error, () => this.#change(this.#filters));
  }

  /** What there is to choose from grows with what was seen: a filter must not take away the others. */
  #remember({artifacts, devices}) {
    artifacts.forEach(({key}) => this.#known.artifacts.add(key));
    devices.forEach(({key}) => this.#known.devices.add(key));
  }

  #show(summary, first) {
    const i18n = this.#i18n;
    this.#showFilters();
    this.#open(summary.total.comparisons > 0);
    if (summary.total.comparisons === 0) {
      this.#panels.totals.show(this.#nothing());
      return;
    }
    this.#panels.totals.show(totals(summary, i18n));
    this.#panels.agreement.show(this.#agreement.view(summary.days, this.#filters.span(Date.now())));
    this.#panels.changes.show(...changesView(summary, i18n));
    this.#panels.groups.show(this.#groups.view(summary, this.#names));
    this.#panels.causes.show(
      causeList(summary.causes, this.#filters.cause, (cause) => this.#change(this.#filters.with({cause})), i18n),
    );
    this.#showLatest(first);
  }

  #showFilters() {
    const {models, artifacts, devices} = this.#known;
    this.#bar.show(this.#filters, {models, artifacts: [...artifacts], devices: [...devices].sort()}, this.#names);
  }

  #showLatest(first) {
    const free = this.#filters.agrees === '';
    const different = (free ? this.#which : this.#filters.agrees) === 'false';
    byId('latest').querySelector('h2').textContent = this.#i18n.t(different ? 'latest.heading' : 'latest.heading.all');
    const choice = free && this.#latest.choice(this.#which, (which) => this.#choose(which));
    fill(byId('latest').querySelector('.choice'), choice);
    this.#panels.latest.show(this.#latest.view(first, this.#names));
  }

  async #choose(which) {
    this.#which = which;
    this.#panels.latest.wait();
    try {
      this.#showLatest(await this.#page());
      byId('latest').querySelector('.choice input:checked').focus();
    } catch (error) {
      this.#panels.latest.fail(error, () => this.#choose(which));
    }
  }

  #nothing() {
    const i18n = this.#i18n;
    if (this.#filters.narrowed || this.#filters.days !== 'all') {
      const all = () => this.#change(new Filters({days: 'all'}));
      return h('div', {class: 'empty'},
        h('p', {}, i18n.t('empty.filtered')),
        h('button', {type: 'button', onclick: all}, i18n.t('empty.all')));
    }
    return h('div', {class: 'empty'},
      h('h2', {}, i18n.t('empty.heading')),
      h('p', {}, `${i18n.t('empty.words')} `, h('code', {}, COMMAND)));
  }

  #open(hasFigures) {
    byId('comparing').hidden = byId('latest').hidden = !hasFigures;
    byId('csv').disabled = !hasFigures;
  }

  #query(others = {}) {
    return this.#filters.query(Date.now(), others);
  }

  #page(others = {}) {
    const which = this.#filters.agrees === '' && this.#which ? {agrees: this.#which} : {};
    return this.#api.get('v1/comparisons', this.#query({limit: PAGE, ...which, ...others}));
  }

  async #csv() {
    byId('csv').disabled = true;
    try {
      save('comparisons.csv', await this.#api.file('v1/comparisons.csv', this.#query()));
    } catch (error) {
      fill(byId('told'), problem(error, this.#i18n));
    } finally {
      byId('csv').disabled = false;
    }
  }
}

/**
 * Return how far apart the answers are: the histogram, and its figures as a table.
 * @param {Object} summary of `GET /v1/comparisons/summary`, with comparisons.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement[]}
 */
function changesView({changes, change}, i18n) {
  const filled = changes.filter((bin) => bin.comparisons > 0);
  const columns = [
    {title: i18n.t('changes.from'), cell: (bin) => i18n.change(bin.low)},
    {title: i18n.t('changes.below'), cell: (bin) => i18n.change(bin.high)},
    {title: i18n.t('total.comparisons'), cell: (bin) => i18n.count(bin.comparisons), kind: 'number'},
  ];
  return [
    changesPlot(changes, change, i18n),
    figures(i18n.t('as-table'), table(i18n.t('changes.heading'), columns, filled)),
  ];
}
