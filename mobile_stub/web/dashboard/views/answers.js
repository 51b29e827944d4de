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
  const sides = [phone.said.probabilities, server.probabilities];
  const labels = Object.keys(server.probabilities);
  const most = (label) => Math.max(...sides.map((side) => side[label] ?? 0));
  const shown = labels.filter((label) => most(label) >= LEAST).sort((a, b) => most(b) - most(a));
  const row = (label) => h('tr', {},
    h('th', {scope: 'row'}, names.label(label)),
    cell(phone, sides[0][label], label, 'phone', say),
    cell(server, sides[1][label], label, 'server', say));
  const others = labels.length - shown.length;
  return h('table', {class: 'answers'},
    h('caption', {class: 'unseen'}, say.t('latest.probabilities')),
    h('thead', {}, h('tr', {},
      h('th', {scope: 'col'}, say.t('latest.class')),
      h('th', {scope: 'col', class: 'phone'}, say.t('latest.phone')),
      h('th', {scope: 'col', class: 'server'}, say.t('latest.server')))),
    h('tbody', {}, shown.map(row), others > 0 && h('tr', {}, h('td', {colspan: 3, class: 'quiet'}, say.t('latest.others', {n: others})))),
    h('tfoot', {}, h('tr', {}, h('td'), decision(phone, say), decision(server, say))));
}

function cell(side, probability, label, kind, say) {
  const value = say.percent(probability ?? 0);
  return h('td', {class: label === side.label ? `${kind} first` : kind},
    h('div', {class: 'answer'}, filledBar(probability ?? 0, kind), h('span', {}, value)));
}

function decision({decision: {name, positive, score, threshold}}, say) {
  return h('td', {},
    h('strong', {}, say.t('latest.decision', {name, answer: say.t(positive ? 'yes' : 'no')})),
    h('small', {}, say.t('latest.score', {score: say.number(score, 3), threshold: say.number(threshold, 3)})));
}
