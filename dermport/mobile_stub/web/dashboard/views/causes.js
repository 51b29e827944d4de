/** @file Causes, by how often each was found. */

import {h} from '../lib/dom.js';
import {filledBar} from '../plots/span.js';

/**
 * Return a cause's name with its colour.
 * @param {string} cause
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function badge(cause, say) {
  return h('span', {class: `badge cause-${cause}`}, nameOf(cause, say));
}

/**
 * Return a cause's name.
 * @param {string} cause
 * @param {import('../lib/say.js').Say} say
 * @returns {string}
 */
export function nameOf(cause, say) {
  return say.knows(`cause.${cause}`) ? say.t(`cause.${cause}`) : cause;
}

/**
 * Return the list.
 * @param {Object<string, number>} causes counts.
 * @param {string} chosen the cause that alone is looked at, or ''.
 * @param {function(string)} choose is called with a cause, or '' for all.
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function causeList(causes, chosen, choose, say) {
  const counts = Object.entries(causes).sort(([, a], [, b]) => b - a);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const item = ([cause, count]) =>
    h(
      'li',
      {class: `cause-${cause}`},
      h(
        'button',
        {
          type: 'button',
          class: 'name',
          'aria-pressed': String(cause === chosen),
          onclick: () => choose(cause === chosen ? '' : cause),
        },
        nameOf(cause, say),
      ),
      h('span', {class: 'figure'}, `${say.count(count)} · ${say.percent(count / all)}`),
      filledBar(count / all, 'of-cause'),
      say.knows(`cause.${cause}.words`) && h('p', {}, say.t(`cause.${cause}.words`)),
    );
  return h('ul', {class: 'causes'}, counts.map(item));
}
