/** @file Tables that can be read by ear and scrolled by keyboard. */

import {h} from '../../lib/dom.js';

/**
 * A column.
 * @typedef {{title: string|Node, cell: function(*): *, kind?: string}} Column
 *   the first column's cells are the rows' headings; `kind` is a class: "number" stands right, "wide" is left out on
 *   small screens.
 */

/**
 * Return a table in a box that scrolls if it must.
 * @param {string} caption
 * @param {Column[]} columns
 * @param {Array} rows
 * @returns {HTMLElement}
 */
export function table(caption, columns, rows) {
  const heads = columns.map(({title, kind}) => h('th', {scope: 'col', class: kind}, title));
  const body = rows.map((row) =>
    h('tr', {}, columns.map((column, i) => cell(column, row, i === 0))),
  );
  return h('div', {class: 'scroll', role: 'region', 'aria-label': caption, tabindex: '0'},
    h('table', {}, h('caption', {class: 'unseen'}, caption), h('thead', {}, h('tr', {}, heads)), h('tbody', {}, body)));
}

function cell({cell: fill, kind}, row, isHeading) {
  return isHeading ? h('th', {scope: 'row', class: kind}, fill(row)) : h('td', {class: kind}, fill(row));
}
