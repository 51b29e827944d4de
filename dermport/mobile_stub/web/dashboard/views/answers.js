/** @file Both answers to one photo, side by side: a probability for every class, and the decision. */

import {h} from '../lib/dom.js';
import {filledBar} from '../plots/span.js';

/** Classes that neither side gives so much are counted, not shown. */
const LEAST = 0.005;

/**
 * Return the table.
 * @param {Object} comparison of the API.
 * @param {import('../data/names.js').Names} names
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function answers({phone, server}, names, say) {
  const labels = Object.keys(server.probabilities);
  const most = (label) => Math.max(phone.said.probabilities[label] ?? 0, server.probabilities[label] ?? 0);
  const shown = labels.filter((label) => most(label) >= LEAST).sort((a, b) => most(b) - most(a));
  const rows = shown.map((label) => [
    h('th', {scope: 'row'}, names.label(label)),
    cell(phone, phone.said.probabilities[label], label, 'phone', say),
    cell(server, server.probabilities[label], label, 'server', say),
  ]);
  const others = say.t('latest.others', {n: labels.length - shown.length});
  const last = labels.length > shown.length ? [[h('td', {colspan: 3, class: 'quiet'}, others)]] : [];
  const caption = h('caption', {class: 'unseen'}, say.t('latest.probabilities'));
  const foot = h('tfoot', {}, h('tr', {}, h('td'), decision(phone, say), decision(server, say)));
  const body = [...rows, ...last].map((cells) => h('tr', {}, cells));
  return h('table', {class: 'answers'}, caption, heads(say), h('tbody', {}, body), foot);
}

function heads(say) {
  const columns = ['class', 'phone', 'server'];
  const cells = columns.map((column) => h('th', {scope: 'col', class: column}, say.t(`latest.${column}`)));
  return h('thead', {}, h('tr', {}, cells));
}

function cell(side, probability, label, kind, say) {
  const value = say.percent(probability ?? 0);
  return h(
    'td',
    {class: label === side.label ? `${kind} first` : kind},
    h('div', {class: 'answer'}, filledBar(probability ?? 0, kind), h('span', {}, value)),
  );
}

function decision({decision: {name, positive, score, threshold}}, say) {
  return h(
    'td',
    {},
    h('strong', {}, say.t('latest.decision', {name, answer: say.t(positive ? 'yes' : 'no')})),
    h('small', {}, say.t('latest.score', {score: say.number(score, 3), threshold: say.number(threshold, 3)})),
  );
}
