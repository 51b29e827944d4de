/** @file Both answers to one photo, side by side: a probability for every class, and the decision. */

import {h} from '../../lib/dom.js';
import {filledBar} from '../plots/span.js';

/** Classes that neither side gives so much are counted, not shown. */
const LEAST = 0.005;

/**
 * Return the table.
 * @param {Object} comparison of the API.
 * @param {import('../data/names.js').Names} names
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function answers({phone, server}, names, i18n) {
  const labels = Object.keys(server.probabilities);
  const most = (label) => Math.max(phone.said.probabilities[label] ?? 0, server.probabilities[label] ?? 0);
  const shown = labels.filter((label) => most(label) >= LEAST).sort((a, b) => most(b) - most(a));
  const rows = shown.map((label) => [
    h('th', {scope: 'row'}, names.label(label)),
    cell(phone, phone.said.probabilities[label], label, 'phone', i18n),
    cell(server, server.probabilities[label], label, 'server', i18n),
  ]);
  const others = i18n.t('latest.others', {n: labels.length - shown.length});
  const last = labels.length > shown.length ? [[h('td', {colspan: 3, class: 'quiet'}, others)]] : [];
  const caption = h('caption', {class: 'unseen'}, i18n.t('latest.probabilities'));
  const foot = h('tfoot', {}, h('tr', {}, h('td'), decision(phone, i18n), decision(server, i18n)));
  const body = [...rows, ...last].map((cells) => h('tr', {}, cells));
  return h('table', {class: 'answers'}, caption, heads(i18n), h('tbody', {}, body), foot);
}

function heads(i18n) {
  const columns = ['class', 'phone', 'server'];
  const cells = columns.map((column) => h('th', {scope: 'col', class: column}, i18n.t(`latest.${column}`)));
  return h('thead', {}, h('tr', {}, cells));
}

function cell(side, probability, label, kind, i18n) {
  const value = i18n.percent(probability ?? 0);
  return h('td', {class: label === side.label ? `${kind} first` : kind},
    h('div', {class: 'answer'}, filledBar(probability ?? 0, kind), h('span', {}, value)));
}

function decision({decision}, i18n) {
  if (!decision) return h('td', {});
  const {name, positive, score, threshold} = decision;
  return h('td', {},
    h('strong', {}, i18n.t('latest.decision', {name, answer: i18n.t(positive ? 'yes' : 'no')})),
    h('small', {}, i18n.t('latest.score', {score: i18n.number(score, 3), threshold: i18n.number(threshold, 3)})));
}
