/** @file Agreement by device model, device, phone's file and class. */

import {h} from '../../lib/dom.js';
import {shareFloor} from '../plots/scales.js';
import {span} from '../plots/span.js';
import {switched} from './segments.js';
import {table} from './table.js';

const KINDS = ['device_models', 'devices', 'artifacts', 'classes'];
/** The groupings that are filters of the API, too. */
const FILTERS = {devices: 'device', artifacts: 'artifact_sha256'};

/** Shows one grouping at a time. */
export class Groups {
  #i18n;
  #narrow;
  #kind;

  /**
   * @param {import('../i18n.js').DashboardI18n} i18n
   * @param {function(Object<string, string>)} narrow changes the filters.
   */
  constructor(i18n, narrow) {
    this.#i18n = i18n;
    this.#narrow = narrow;
    this.#kind = KINDS[0];
  }

  /**
   * Return the view.
   * @param {Object} summary of `GET /v1/comparisons/summary`.
   * @param {import('../data/names.js').Names} names
   * @returns {HTMLElement}
   */
  view(summary, names) {
    const i18n = this.#i18n;
    const draw = (kind) => {
      this.#kind = kind;
      return this.#table(kind, summary[kind], names);
    };
    const options = KINDS.map((kind) => [kind, i18n.t(`groups.${kind}`)]);
    return switched('groups', i18n.t('groups.by'), options, this.#kind, draw);
  }

  #table(kind, groups, names) {
    const i18n = this.#i18n;
    if (groups.length === 0) return h('p', {class: 'quiet'}, i18n.t('groups.none'));
    const floor = shareFloor(Math.min(...groups.map((group) => group.label_agreement.low)));
    return table(i18n.t('groups.heading'), [
      {title: i18n.t(`groups.${kind}`), cell: (group) => this.#name(kind, group.key, names), kind: 'name'},
      {title: i18n.t('groups.count'), cell: (group) => i18n.count(group.comparisons), kind: 'number'},
      {title: i18n.t('groups.agreement'), cell: (group) => i18n.share(group.label_agreement), kind: 'number'},
      {
        title: i18n.t('groups.interval', {low: i18n.percent(floor), high: i18n.percent(1)}),
        cell: (group) => interval(group.label_agreement, floor, i18n),
        kind: 'interval',
      },
      {title: i18n.t('groups.flips'), cell: (group) => flips(group, i18n), kind: 'number wide'},
      {title: i18n.t('groups.mean'), cell: (group) => i18n.change(group.mean_change), kind: 'number wide'},
      {title: i18n.t('groups.max'), cell: (group) => i18n.change(group.max_change), kind: 'number wide'},
    ], groups);
  }

  #name(kind, key, names) {
    const text = {artifacts: names.artifact(key), classes: names.label(key)}[kind] ?? key;
    const unknown = kind === 'artifacts' && !names.knows(key) && h('small', {}, this.#i18n.t('groups.unknown'));
    if (!(kind in FILTERS)) return text;
    const narrow = () => this.#narrow({[FILTERS[kind]]: key});
    return [
      h('button', {type: 'button', class: 'link', title: this.#i18n.t('groups.only'), onclick: narrow}, text),
      unknown,
    ];
  }
}

function interval(share, floor, i18n) {
  return h('div', {class: 'ranged'}, span(share, floor), h('small', {}, i18n.interval(share)));
}

function flips(group, i18n) {
  return `${i18n.count(group.flips_to_positive)} / ${i18n.count(group.flips_to_negative)}`;
}
