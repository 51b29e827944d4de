/** @file How far apart the answers are: the histogram, and its figures as a table. */

import {table} from '../lib/table.js';
import {changesPlot} from '../plots/changes.js';
import {figures} from '../plots/plot.js';

/**
 * Return the view.
 * @param {Object} summary of `GET /v1/comparisons/summary`, with comparisons.
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement[]}
 */
export function apart({changes, change}, say) {
  const filled = changes.filter((bin) => bin.comparisons > 0);
  const columns = [
    {title: say.t('changes.from'), cell: (bin) => say.change(bin.low)},
    {title: say.t('changes.below'), cell: (bin) => say.change(bin.high)},
    {title: say.t('total.comparisons'), cell: (bin) => say.count(bin.comparisons), kind: 'number'},
  ];
  return [
    changesPlot(changes, change, say),
    figures(say.t('as-table'), table(say.t('changes.heading'), columns, filled)),
  ];
}
