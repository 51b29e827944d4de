/** @file Agreement by day: the plot, and its figures as a table. */

import {agreementPlot} from '../plots/agreement.js';
import {figures} from '../plots/plot.js';
import {switched} from './segments.js';
import {table} from './table.js';

const KINDS = ['label_agreement', 'decision_agreement'];

/** Shows the agreement of labels or of decisions. */
export class AgreementByDay {
  #i18n;
  #what;

  /** @param {import('../i18n.js').DashboardI18n} i18n */
  constructor(i18n) {
    this.#i18n = i18n;
    this.#what = KINDS[0];
  }

  /**
   * Return the view.
   * @param {import('../plots/agreement.js').Day[]} days
   * @param {[?number, ?number]} span
   * @returns {HTMLElement}
   */
  view(days, span) {
    const i18n = this.#i18n;
    const draw = (what) => {
      this.#what = what;
      return [agreementPlot(days, what, span, i18n), figures(i18n.t('as-table'), dayTable(days, what, i18n))];
    };
    const options = KINDS.map((what) => [what, i18n.t(`agreement.${what}`)]);
    return switched('agreement', i18n.t('agreement.what'), options, this.#what, draw);
  }
}

function dayTable(days, what, i18n) {
  return table(
    i18n.t('agreement.heading'),
    [
      {title: i18n.t('agreement.day'), cell: (day) => i18n.day(day.key)},
      {title: i18n.t('total.comparisons'), cell: (day) => i18n.count(day.comparisons), kind: 'number'},
      {title: i18n.t('agreement.agree'), cell: (day) => i18n.count(day[what].count), kind: 'number'},
      {title: i18n.t('agreement.share'), cell: (day) => i18n.share(day[what]), kind: 'number'},
      {title: i18n.t('agreement.interval'), cell: (day) => i18n.interval(day[what]), kind: 'number'},
    ],
    [...days].reverse(),
  );
}
