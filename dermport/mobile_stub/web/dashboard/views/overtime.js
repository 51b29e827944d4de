/** @file Agreement by day: the plot, and its figures as a table. */

import {h} from '../lib/dom.js';
import {table} from '../lib/table.js';
import {agreementPlot} from '../plots/agreement.js';
import {figures} from '../plots/plot.js';
import {segments} from './segments.js';

const KINDS = ['label_agreement', 'decision_agreement'];

/** Shows the agreement of labels or of decisions. */
export class OverTime {
  /** @param {import('../lib/say.js').Say} say */
  constructor(say) {
    this._say = say;
    this._what = KINDS[0];
  }

  /**
   * Return the view.
   * @param {import('../plots/agreement.js').Day[]} days
   * @param {[?number, ?number]} span
   * @returns {HTMLElement}
   */
  view(days, span) {
    const say = this._say;
    const place = h('div');
    const choose = (what) => {
      this._what = what;
      place.replaceChildren(
        agreementPlot(days, what, span, say),
        figures(say.t('as-table'), dayTable(days, what, say)),
      );
    };
    choose(this._what);
    const options = KINDS.map((what) => [what, say.t(`agreement.${what}`)]);
    return h('div', {}, segments('agreement', say.t('agreement.what'), options, this._what, choose), place);
  }
}

function dayTable(days, what, say) {
  return table(
    say.t('agreement.heading'),
    [
      {title: say.t('agreement.day'), cell: (day) => say.day(day.key)},
      {title: say.t('total.comparisons'), cell: (day) => say.count(day.comparisons), kind: 'number'},
      {title: say.t('agreement.agree'), cell: (day) => say.count(day[what].count), kind: 'number'},
      {title: say.t('agreement.share'), cell: (day) => say.share(day[what]), kind: 'number'},
      {title: say.t('agreement.interval'), cell: (day) => say.interval(day[what]), kind: 'number'},
    ],
    [...days].reverse(),
  );
}
