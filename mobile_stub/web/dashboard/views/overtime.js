/** @file Agreement by day: the plot, and its figures as a table. */

import {h} from '../lib/dom.js';
import {table} from '../lib/table.js';
import {agreementPlot} from '../plots/agreement.js';
import {figures} from '../plots/plot.js';
import {segments} from './segments.js';

const KINDS = ['label_agreement', 'decision_agreement'];

/**
 * Return the view.
 * @param {import('../plots/agreement.js').Day[]} days
 * @param {[?number, ?number]} span
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function overTime(days, span, say) {
  const place = h('div');
  const choose = (what) => place.replaceChildren(
    agreementPlot(days, what, span, say),
    figures(say.t('as-table'), dayTable(days, what, say)));
  const options = KINDS.map((what) => [what, say.t(`agreement.${what}`)]);
  choose(KINDS[0]);
  return h('div', {}, segments('agreement', say.t('agreement.what'), options, KINDS[0], choose), place);
}

function dayTable(days, what, say) {
  return table(say.t('agreement.heading'), [
    {title: say.t('agreement.day'), cell: (day) => say.day(day.key)},
    {title: say.t('total.comparisons'), cell: (day) => say.count(day.comparisons), kind: 'number'},
    {title: say.t('agreement.agree'), cell: (day) => say.count(day[what].count), kind: 'number'},
    {title: say.t('agreement.share'), cell: (day) => say.share(day[what]), kind: 'number'},
    {title: say.t('agreement.interval'), cell: (day) => say.interval(day[what]), kind: 'number'},
  ], [...days].reverse());
}
