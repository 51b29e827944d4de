import {h, icon} from '../dom.js';
import {reason} from './complaint.js';

const DRAWINGS = {good: 'yes', warn: 'alert', bad: 'no', wait: 'wait', off: 'phone'};

/**
 * How the comparison ended, as one of five looks and in words.
 * @param {import('../words.js').Words} words
 * @param {object} record
 * @param {'unknown'|'reachable'|'unreachable'|'key'} reach of the Jetson
 * @returns {HTMLElement}
 */
export function verdict(words, {jetson}, reach) {
  const {look, title, why} = VERDICTS[jetson.state](words, jetson, reach);
  return h('section', {class: `verdict ${look}`, role: 'status'}, icon(DRAWINGS[look]),
    h('div', {}, h('p', {class: 'strong'}, title), why && h('p', {}, why)));
}

/**
 * @param {{same_label: boolean, same_decision: boolean}} verdict of a ComparisonAnswer
 * @returns {'agree'|'label'|'decision'}
 */
export function outcome({same_label: label, same_decision: decision}) {
  if (!decision) return 'decision';
  return label ? 'agree' : 'label';
}

const LOOKS = {agree: 'good', label: 'warn', decision: 'bad'};
const VERDICTS = {
  answered: (words, {answer}) => {
    const ended = outcome(answer.verdict);
    const why = words.say('verdict.agree.largest', {change: words.percent(answer.verdict.change)});
    return {look: LOOKS[ended], title: words.say(`verdict.${ended}`), why};
  },
  waiting: (words, _, reach) => {
    if (reach === 'key') return {look: 'warn', title: words.say('verdict.key'), why: words.say('verdict.key.why')};
    if (reach !== 'unreachable') return {look: 'wait', title: words.say('verdict.asking')};
    return {look: 'wait', title: words.say('verdict.waiting'), why: words.say('verdict.waiting.why')};
  },
  refused: (words, {problem}) => ({look: 'bad', title: words.say('verdict.refused'), why: reason(words, problem)}),
  off: (words) => ({look: 'off', title: words.say('verdict.off'), why: words.say('verdict.off.why')}),
};
