/** @file The figures of all comparisons that are looked at. */

import {h} from '../lib/dom.js';

/**
 * Return the cards.
 * @param {Object} summary of `GET /v1/comparisons/summary`.
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function totals({total, change}, say) {
  const {
    label_agreement: labels,
    decision_agreement: decisions,
    flips_to_positive: up,
    flips_to_negative: down,
  } = total;
  const values = {p95: say.change(change?.p95), max: say.change(change?.max)};
  return h(
    'dl',
    {class: 'cards'},
    card(
      say.t('total.comparisons'),
      say.count(total.comparisons),
      say.t('total.different', {n: labels.of - labels.count}),
    ),
    card(say.t('total.labels'), say.share(labels), say.t('total.interval', {interval: say.interval(labels)})),
    card(say.t('total.decisions'), say.share(decisions), say.t('total.interval', {interval: say.interval(decisions)})),
    card(say.t('total.flips'), say.count(up + down), say.t('total.flips.words', {up, down})),
    card(say.t('total.change'), say.change(change?.median), say.t('total.change.words', values)),
  );
}

/**
 * Return a figure with its name and what there is to say of it.
 * @param {string} name
 * @param {string} value
 * @param {...(string|Node)} words
 * @returns {HTMLElement}
 */
export function card(name, value, ...words) {
  return h(
    'div',
    {class: 'card'},
    h('dt', {}, name),
    h('dd', {class: 'value'}, value),
    words.filter(Boolean).map((each) => h('dd', {}, each)),
  );
}
