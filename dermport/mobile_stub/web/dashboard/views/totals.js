/** @file The figures of all comparisons that are looked at. */

import {h} from '../../lib/dom.js';

/**
 * Return the cards.
 * @param {Object} summary of `GET /v1/comparisons/summary`.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function totals({total, change}, i18n) {
  const {
    label_agreement: labels,
    decision_agreement: decisions,
    flips_to_positive: up,
    flips_to_negative: down,
  } = total;
  const values = {p95: i18n.change(change?.p95), max: i18n.change(change?.max)};
  const different = i18n.t('total.different', {n: labels.of - labels.count});
  const agreement = (name, share) =>
    card(i18n.t(`total.${name}`), i18n.share(share), i18n.t('total.interval', {interval: i18n.interval(share)}));
  return h('dl', {class: 'cards'},
    card(i18n.t('total.comparisons'), i18n.count(total.comparisons), different),
    agreement('labels', labels),
    decisions.of > 0 && agreement('decisions', decisions),
    decisions.of > 0 && card(i18n.t('total.flips'), i18n.count(up + down), i18n.t('total.flips.words', {up, down})),
    card(i18n.t('total.change'), i18n.change(change?.median), i18n.t('total.change.words', values)));
}

/**
 * Return a figure with its name and what there is to say of it.
 * @param {string} name
 * @param {string} value
 * @param {...(string|Node)} words
 * @returns {HTMLElement}
 */
export function card(name, value, ...words) {
  return h('div', {class: 'card'},
    h('dt', {}, name),
    h('dd', {class: 'value'}, value),
    words.filter(Boolean).map((each) => h('dd', {}, each)));
}
