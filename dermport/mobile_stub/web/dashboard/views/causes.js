/** @file Causes, by how often each was found. */

import {h} from '../../lib/dom.js';
import {filledBar} from '../plots/span.js';

/**
 * Return a cause's name with its colour.
 * @param {string} cause
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function badge(cause, i18n) {
  return h('span', {class: `badge cause-${cause}`}, nameOf(cause, i18n));
}

/**
 * Return a cause's name.
 * @param {string} cause
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {string}
 */
export function nameOf(cause, i18n) {
  return i18n.tOr(`cause.${cause}`, cause);
}

/**
 * Return the list.
 * @param {Object<string, number>} causes counts.
 * @param {string} chosen the cause that alone is looked at, or ''.
 * @param {function(string)} choose is called with a cause, or '' for all.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function causeList(causes, chosen, choose, i18n) {
  const counts = Object.entries(causes).sort(([, a], [, b]) => b - a);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const item = ([cause, count]) =>
    h('li', {class: `cause-${cause}`},
      h(
        'button',
        {
          type: 'button',
          class: 'name',
          'aria-pressed': String(cause === chosen),
          onclick: () => choose(cause === chosen ? '' : cause),
        },
        nameOf(cause, i18n),
      ),
      h('span', {class: 'figure'}, `${i18n.count(count)} · ${i18n.percent(count / all)}`),
      filledBar(count / all, 'of-cause'),
      i18n.has(`cause.${cause}.words`) && h('p', {}, i18n.t(`cause.${cause}.words`)));
  return h('ul', {class: 'causes'}, counts.map(item));
}
