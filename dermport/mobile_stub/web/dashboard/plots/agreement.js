/** @file Agreement by day, with Wilson's interval, and how many comparisons each day had. */

import {s} from '../../lib/dom.js';
import {bottomAxis, leftAxis} from './axes.js';
import {plot} from './plot.js';
import {DAY, dayTicks, linear, shareFloor, ticks} from './scales.js';

const HEIGHT = 272;
const COUNTS = 34;
const GAP = 16;
const MARGIN = {left: 46, right: 14, top: 12, bottom: 26};
const DAY_PIXELS = 78;

/**
 * A day of the API's summary.
 * @typedef {{key: string, comparisons: number, label_agreement: Object, decision_agreement: Object}} Day
 */

/**
 * Return the plot.
 * @param {Day[]} days in order; those without comparisons are not among them.
 * @param {'label_agreement'|'decision_agreement'} what
 * @param {[?number, ?number]} span first and last day that were asked for, ms; null where there is no limit.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function agreementPlot(days, what, span, i18n) {
  const points = days.map((day) => ({day, time: Date.parse(`${day.key}T00:00:00Z`), share: day[what]}));
  const label = i18n.t('agreement.plot', {n: points.length, what: i18n.t(`agreement.${what}`)});
  return plot(label, HEIGHT, (width) => draw(points, extent(points, span), width, i18n));
}

function extent(points, [first, last]) {
  const from = first ?? points[0].time;
  const to = Math.max(last ?? points.at(-1).time, points.at(-1).time);
  return from === to ? [from - DAY, to + DAY] : [from, to];
}

function draw(points, [from, to], width, i18n) {
  const bottom = HEIGHT - MARGIN.bottom;
  const area = {left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: bottom - COUNTS - GAP};
  const floor = shareFloor(Math.min(...points.map(({share}) => share.low)));
  const x = linear([from, to], [area.left + 10, area.right - 10]);
  const y = linear([floor, 1], [area.bottom, area.top]);
  const shares = ticks(floor, 1, 5).map((share) => [y(share), i18n.percent(share)]);
  const days = dayTicks(from, to, Math.max(2, Math.floor((area.right - area.left) / DAY_PIXELS)));
  const shapes = [
    ...leftAxis(area, shares),
    ...counts(points, x, bottom, barWidth(x), i18n),
    ...bottomAxis({...area, bottom}, days.map((day) => [x(day), i18n.day(day, true)])),
    s('path', {class: 'trend', d: path(points, x, y)}),
    ...points.flatMap((point) => interval(x(point.time), point.share, y)),
  ];
  return {shapes, reading: (at) => reading(points, x, at, i18n)};
}

function interval(x, {count, of, low, high}, y) {
  return [
    s('line', {class: 'whisker', x1: x, x2: x, y1: y(low), y2: y(high)}),
    s('circle', {class: 'point', cx: x, cy: y(count / of), r: 4}),
  ];
}

function counts(points, x, bottom, width, i18n) {
  const most = Math.max(...points.map(({day}) => day.comparisons));
  const height = linear([0, most], [0, COUNTS]);
  const bars = points.map(({day, time}) => {
    const tall = Math.max(1, height(day.comparisons));
    return s('rect', {class: 'count', x: x(time) - width / 2, y: bottom - tall, width, height: tall});
  });
  const scale = s('text', {class: 'tick', x: MARGIN.left - 8, y: bottom - COUNTS, dy: '0.7em', 'text-anchor': 'end'});
  scale.append(i18n.t('agreement.most', {most}));
  return [...bars, scale];
}

/** Days that follow each other are joined; a gap stays one. */
function path(points, x, y) {
  const step = ({time, share}, i) => {
    const joined = i > 0 && time - points[i - 1].time <= DAY;
    return `${joined ? 'L' : 'M'}${x(time).toFixed(1)},${y(share.count / share.of).toFixed(1)}`;
  };
  return points.map(step).join('');
}

function barWidth(x) {
  return Math.max(2, Math.min(18, (x(DAY) - x(0)) * 0.6));
}

function reading(points, x, at, i18n) {
  const nearest = points.reduce((best, point) =>
    Math.abs(x(point.time) - at) < Math.abs(x(best.time) - at) ? point : best,
  );
  const {day, share, time} = nearest;
  const lines = [
    i18n.day(day.key),
    `${i18n.share(share)} · ${i18n.interval(share)}`,
    i18n.t('comparisons', {n: day.comparisons}),
  ];
  return Math.abs(x(time) - at) > 40 ? null : {x: x(time), lines};
}
