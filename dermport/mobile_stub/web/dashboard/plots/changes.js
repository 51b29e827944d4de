/** @file How far apart the answers are: a histogram of the largest |Δp|, on a logarithmic axis. */

import {s} from '../../lib/dom.js';
import {powerOfTen} from '../i18n.js';
import {bottomAxis, leftAxis} from './axes.js';
import {plot} from './plot.js';
import {countTicks, linear, logarithmic} from './scales.js';

const HEIGHT = 272;
const MARGIN = {left: 46, right: 14, top: 34, bottom: 44};
const FIRST_BIN = 10 ** -6.5;
/** Answers that differ by less count as equal (dermport/bundle/causes.py). */
const SAME = 1e-5;

/**
 * Return the plot.
 * @param {Array<{low: number, high: number, comparisons: number}>} bins in order, the first from 0.
 * @param {{median: number, p95: number, max: number}} quantiles
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function changesPlot(bins, quantiles, i18n) {
  const values = Object.fromEntries(['median', 'p95', 'max'].map((name) => [name, i18n.change(quantiles[name])]));
  return plot(i18n.t('changes.plot', values), HEIGHT, (width) => draw(bins, quantiles, width, i18n));
}

function draw(bins, quantiles, width, i18n) {
  const area = {left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom};
  const marks = countTicks(Math.max(...bins.map((bin) => bin.comparisons)), 4);
  const x = logarithmic([FIRST_BIN, 1], [area.left, area.right]);
  const y = linear([0, marks.at(-1)], [area.bottom, area.top]);
  const powers = [-6, -5, -4, -3, -2, -1, 0].map((power) => [x(10 ** power), powerOfTen(power)]);
  const values = [[area.left, '0'], ...powers];
  const shapes = [
    ...leftAxis(area, marks.map((count) => [y(count), i18n.count(count)])),
    ...bins.map((bin) => bar(bin, x, y)),
    ...bottomAxis(area, values),
    s('text', {class: 'tick', x: (area.left + area.right) / 2, y: HEIGHT - 6, 'text-anchor': 'middle'},
      i18n.t('changes.axis')),
    ...limit(x(SAME), area, i18n),
    ...quantileMarks(quantiles, x, area, i18n),
  ];
  return {shapes, reading: (at) => reading(bins, x, at, i18n)};
}

function bar({low, high, comparisons}, x, y) {
  const left = x(low) + 1;
  const [top, bottom] = [y(comparisons), y(0)];
  const kind = high <= SAME * 1.01 ? 'bar equal' : 'bar';
  return s('rect', {class: kind, x: left, y: top, width: Math.max(1, x(high) - left - 1), height: bottom - top});
}

function limit(x, {top, bottom}, i18n) {
  return [
    s('line', {class: 'limit', x1: x, x2: x, y1: top - 4, y2: bottom}),
    s('text', {class: 'tick', x: x - 5, y: top + 6, 'text-anchor': 'end'}, i18n.t('changes.equal')),
  ];
}

function quantileMarks({median, p95}, x, {bottom, right}, i18n) {
  const marks = [
    ['median', x(median), 12],
    ['p95', x(p95), 26],
  ];
  return marks.flatMap(([name, at, y]) => [
    s('line', {class: 'quantile', x1: at, x2: at, y1: y - 6, y2: bottom}),
    s(
      'text',
      {class: 'mark', x: at + (at > right - 60 ? -5 : 5), y: y + 2, 'text-anchor': at > right - 60 ? 'end' : 'start'},
      i18n.t(`changes.${name}`),
    ),
  ]);
}

function reading(bins, x, at, i18n) {
  const bin = bins.find(({low, high}) => at >= x(low) && at < x(high));
  if (!bin) return null;
  const range = i18n.t('changes.range', {low: i18n.change(bin.low), high: i18n.change(bin.high)});
  return {x: (x(bin.low) + x(bin.high)) / 2, lines: [range, i18n.t('comparisons', {n: bin.comparisons})]};
}
