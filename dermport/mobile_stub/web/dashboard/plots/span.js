/** @file A share with its interval, as small as a table's cell. */

import {s} from '../../lib/dom.js';
import {linear} from './scales.js';

const WIDTH = 150;
const HEIGHT = 18;

/**
 * Return a dot on a line; the numbers stand beside it, so that it is hidden from those who do not see it.
 * @param {import('../i18n.js').Share} share
 * @param {number} floor lower end of the scale, which goes to 1.
 * @returns {SVGElement}
 */
export function span({count, of, low, high}, floor) {
  const x = linear([floor, 1], [5, WIDTH - 5]);
  const middle = HEIGHT / 2;
  return s(
    'svg',
    {class: 'span', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, 'aria-hidden': 'true'},
    s('line', {class: 'grid', x1: 5, x2: WIDTH - 5, y1: middle, y2: middle}),
    s('line', {class: 'whisker', x1: x(Math.max(floor, low)), x2: x(high), y1: middle, y2: middle}),
    of > 0 && s('circle', {class: 'point', cx: x(Math.max(floor, count / of)), cy: middle, r: 4}),
  );
}

/**
 * Return a bar that is filled to a share.
 * @param {number} share 0 to 1.
 * @param {string} kind a class.
 * @returns {SVGElement}
 */
export function filledBar(share, kind) {
  return s('svg', {class: `filled ${kind}`, viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
    s('rect', {class: 'trough', width: 100, height: 10}),
    s('rect', {class: 'fill', width: Math.max(0, Math.min(1, share)) * 100, height: 10}));
}
