/** @file The frame of every plot: as wide as its place, with a reading at the pointer and a table beside it. */

import {fill, h, s} from '../../lib/dom.js';

const LEAST_WIDTH = 240;
const BESIDE = 12;

/**
 * What a plot draws: shapes, and what it says at a place.
 * @typedef {{shapes: SVGElement[], reading?: function(number): ?{x: number, lines: string[]}}} Drawing
 */

/**
 * Return a plot that is drawn anew when its width changes.
 * @param {string} label what it shows, for those who do not see it.
 * @param {number} height pixels.
 * @param {function(number): Drawing} draw is given the width in pixels.
 * @returns {HTMLElement}
 */
export function plot(label, height, draw) {
  const tip = h('div', {class: 'tip', hidden: true, 'aria-hidden': 'true'});
  const svg = s('svg', {role: 'img', 'aria-label': label, height});
  const frame = h('div', {class: 'plot'}, svg, tip);
  let drawing = null;
  const redraw = (width) => {
    drawing = draw(Math.max(LEAST_WIDTH, Math.floor(width)));
    svg.setAttribute('width', Math.max(LEAST_WIDTH, Math.floor(width)));
    fill(svg, drawing.shapes);
    tip.hidden = true;
  };
  new ResizeObserver(([{contentRect}]) => redraw(contentRect.width)).observe(frame);
  frame.addEventListener('pointermove', (event) => point(frame, tip, drawing, event));
  frame.addEventListener('pointerleave', () => (tip.hidden = true));
  return frame;
}

/**
 * Return a closed box with the figures of a plot.
 * @param {string} title
 * @param {HTMLElement} table
 * @returns {HTMLElement}
 */
export function figures(title, table) {
  return h('details', {class: 'figures'}, h('summary', {}, title), table);
}

function point(frame, tip, drawing, event) {
  const bounds = frame.getBoundingClientRect();
  const reading = drawing?.reading?.(event.clientX - bounds.left) ?? null;
  tip.hidden = reading === null;
  if (reading) {
    const [first, ...others] = reading.lines;
    fill(tip, h('strong', {}, first), others.map((line) => h('span', {}, line)));
    const fits = reading.x + BESIDE + tip.offsetWidth <= bounds.width;
    tip.style.setProperty('left', `${fits ? reading.x + BESIDE : Math.max(0, reading.x - BESIDE - tip.offsetWidth)}px`);
  }
}
