/** @file Agreement by device model, device, phone's file and class. */

import {h} from '../lib/dom.js';
import {shareFloor} from '../lib/scales.js';
import {table} from '../lib/table.js';
import {span} from '../plots/span.js';
import {segments} from './segments.js';

const KINDS = ['device_models', 'devices', 'artifacts', 'classes'];
/** The groupings that are filters of the API, too. */
const FILTERS = {devices: 'device', artifacts: 'artifact_sha256'};

/** Shows one grouping at a time. */
export class Groups {
  /**
   * @param {import('../lib/say.js').Say} say
   * @param {function(Object<string, string>)} narrow changes the filters.
   */
  constructor(say, narrow) {
    this._say = say;
    this._narrow = narrow;
    this._kind = KINDS[0];
  }

  /**
   * Return the view.
   * @param {Object} summary of `GET /v1/comparisons/summary`.
   * @param {import('../data/names.js').Names} names
   * @returns {HTMLElement}
   */
  view(summary, names) {
    const say = this._say;
    const place = h('div');
    const choose = (kind) => {
      this._kind = kind;
      place.replaceChildren(this._table(kind, summary[kind], names));
    };
    choose(this._kind);
    const options = KINDS.map((kind) => [kind, say.t(`groups.${kind}`)]);
    return h('div', {}, segments('groups', say.t('groups.by'), options, this._kind, choose), place);
  }

  _table(kind, groups, names) {
    const say = this._say;
    if (groups.length === 0) {
      return h('p', {class: 'quiet'}, say.t('groups.none'));
    }
    const floor = shareFloor(Math.min(...groups.map((group) => group.label_agreement.low)));
    return table(
      say.t('groups.heading'),
      [
        {title: say.t(`groups.${kind}`), cell: (group) => this._name(kind, group.key, names), kind: 'name'},
        {title: say.t('groups.count'), cell: (group) => say.count(group.comparisons), kind: 'number'},
        {title: say.t('groups.agreement'), cell: (group) => say.share(group.label_agreement), kind: 'number'},
        {
          title: say.t('groups.interval', {low: say.percent(floor), high: say.percent(1)}),
          cell: (group) => interval(group.label_agreement, floor, say),
          kind: 'interval',
        },
        {title: say.t('groups.flips'), cell: (group) => flips(group, say), kind: 'number wide'},
        {title: say.t('groups.mean'), cell: (group) => say.change(group.mean_change), kind: 'number wide'},
        {title: say.t('groups.max'), cell: (group) => say.change(group.max_change), kind: 'number wide'},
      ],
      groups,
    );
  }

  _name(kind, key, names) {
    const text = {artifacts: names.artifact(key), classes: names.label(key)}[kind] ?? key;
    const unknown = kind === 'artifacts' && !names.knows(key) && h('small', {}, this._say.t('groups.unknown'));
    if (!(kind in FILTERS)) {
      return text;
    }
    const narrow = () => this._narrow({[FILTERS[kind]]: key});
    return [
      h('button', {type: 'button', class: 'link', title: this._say.t('groups.only'), onclick: narrow}, text),
      unknown,
    ];
  }
}

function interval(share, floor, say) {
  return h('div', {class: 'ranged'}, span(share, floor), h('small', {}, say.interval(share)));
}

function flips(group, say) {
  return `${say.count(group.flips_to_positive)} / ${say.count(group.flips_to_negative)}`;
}
