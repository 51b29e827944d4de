/** @file How far apart the answers are: the histogram, and its figures as a table. */

import {table} from './table.js';
import {changesPlot} from '../plots/changes.js';
import {figures} from '../plots/plot.js';

/**
 * Return the view.
 * @param {Object} summary of `GET /v1/comparisons/summary`, with comparisons.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement[]}
 */
export function apart({changes, change}, i18n) {
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
