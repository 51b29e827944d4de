/** @file The axes of plots. */

import {s} from '../../lib/dom.js';

/**
 * Where a plot's data are, in pixels.
 * @typedef {{left: number, right: number, top: number, bottom: number}} Area
 */

/**
 * Return lines and labels of a vertical axis.
 * @param {Area} area
 * @param {Array<[number, string]>} marks pixel and label, from the bottom up.
 * @returns {SVGElement[]}
 */
export function leftAxis({left, right}, marks) {
  return marks.flatMap(([y, label]) => [
    s('line', {class: 'grid', x1: left, x2: right, y1: y, y2: y}),
    s('text', {class: 'tick', x: left - 8, y, dy: '0.35em', 'text-anchor': 'end'}, label),
  ]);
}

/**
 * Return marks and labels of a horizontal axis; labels at the ends stay within the area.
 * @param {Area} area
 * @param {Array<[number, string]>} marks pixel and label, from left to right.
 * @returns {SVGElement[]}
 */
export function bottomAxis({left, right, bottom}, marks) {
  const labels = marks.flatMap(([x, label]) => [
    s('line', {class: 'axis', x1: x, x2: x, y1: bottom, y2: bottom + 4}),
    s('text', {class: 'tick', x, y: bottom + 17, 'text-anchor': anchor(x, right)}, label),
  ]);
  return [s('line', {class: 'axis', x1: left, x2: right, y1: bottom, y2: bottom}), ...labels];
}

function anchor(x, right) {
  return x > right - 16 ? 'end' : 'middle';
}
