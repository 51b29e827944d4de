import {h} from '../../lib/dom.js';
import {icon} from '../icons.js';

/**
 * What one side says: class, decision, score against the threshold; the class alone where there is no decision.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {'phone'|'jetson'} who
 * @param {{label: {id: string, name: string}, probability: number, rule: ?string, score: ?number, threshold: ?number,
 *     positive: boolean|null, reasons: {code: string, words?: string}[]}|null} said null: no answer yet
 * @param {HTMLElement|string} [otherwise] what stands there without an answer
 * @returns {HTMLElement}
 */
export function side(i18n, who, said, otherwise = '–') {
  const title = h('h2', {}, icon(who), i18n.t(`side.${who}`));
  if (!said) return h('section', {class: `card side ${who}`}, title, h('div', {class: 'none'}, otherwise));
  if (said.rule === null) return h('section', {class: `card side ${who}`}, title, named(i18n, said));
  if (said.positive === null) return h('section', {class: `card side ${who}`}, title, withheld(i18n, said));
  const figures = {score: i18n.percent(said.score), threshold: i18n.percent(said.threshold)};
  return h('section', {class: `card side ${who}`}, title,
    named(i18n, said),
    h('p', {class: `decision ${said.positive ? 'positive' : 'negative'}`}, decision(i18n, said)),
    meter(said),
    h('p', {class: 'score'}, i18n.t('decision.score', figures)));
}

function named(i18n, {label, probability}) {
  return [h('p', {class: 'says'}, i18n.label(label)), h('p', {class: 'probability'}, i18n.percent(probability))];
}

/** Why the model cannot tell (a code that this app does not know, in the server's words); what it would name, last. */
function withheld(i18n, {reasons = [], label, probability}) {
  const figures = {label: i18n.label(label), probability: i18n.percent(probability)};
  return [
    h('p', {class: 'says decision withheld'}, i18n.t('decision.cannot-tell')),
    h('ul', {class: 'reasons'}, reasons.map(({code, words: english}) =>
      h('li', {}, i18n.tOr(`reason.${code}`) || i18n.tOr(code.replace('quality:', 'hint.')) ||
        h('span', {lang: 'en'}, english ?? code)))),
    h('p', {class: 'quiet'}, i18n.t('decision.for-research', figures)),
  ];
}

function decision(i18n, {rule, positive}) {
  const answer = positive ? 'yes' : 'no';
  return i18n.tOr(`decision.${rule}.${answer}`) || i18n.t(`decision.${answer}`, {rule});
}

function meter({score, threshold, positive}) {
  const drawn = h('div', {class: `meter ${positive ? 'positive' : 'negative'}`, 'aria-hidden': 'true'},
    h('span', {class: 'filled'}), h('span', {class: 'tick'}));
  drawn.style.setProperty('--share', Math.min(score, 1));
  drawn.style.setProperty('--threshold', threshold);
  return drawn;
}
