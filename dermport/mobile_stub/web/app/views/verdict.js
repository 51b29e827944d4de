import {h} from '../../lib/dom.js';
import {icon} from '../icons.js';
import {reason} from './problem.js';

const DRAWINGS = {good: 'yes', warn: 'alert', bad: 'no', wait: 'wait', off: 'phone'};

/**
 * How the comparison ended, as one of five looks and in words.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {object} record
 * @param {'unknown'|'reachable'|'unreachable'|'key'} reach of the Jetson
 * @returns {HTMLElement}
 */
export function verdict(i18n, {jetson}, reach) {
  const {look, title, why} = VERDICTS[jetson.state](i18n, jetson, reach);
  return h('section', {class: `verdict ${look}`, role: 'status'}, icon(DRAWINGS[look]),
    h('div', {}, h('p', {class: 'strong'}, title), why && h('p', {}, why)));
}

/**
 * @param {{same_label: boolean, same_decision: ?boolean}} verdict of a ComparisonAnswer; null: there is no decision
 * @returns {'agree'|'label'|'decision'}
 */
export function outcome({same_label: label, same_decision: decision}) {
  if (decision === false) return 'decision';
  return label ? 'agree' : 'label';
}

const LOOKS = {agree: 'good', label: 'warn', decision: 'bad'};
const VERDICTS = {
  answered: (i18n, {answer}) => {
    const ended = outcome(answer.verdict);
    const why = i18n.t('verdict.agree.largest', {change: i18n.percent(answer.verdict.change)});
    return {look: LOOKS[ended], title: i18n.t(`verdict.${ended}`), why};
  },
  waiting: (i18n, _, reach) => {
    if (reach === 'key') return {look: 'warn', title: i18n.t('verdict.key'), why: i18n.t('verdict.key.why')};
    if (reach !== 'unreachable') return {look: 'wait', title: i18n.t('verdict.asking')};
    return {look: 'wait', title: i18n.t('verdict.waiting'), why: i18n.t('verdict.waiting.why')};
  },
  refused: (i18n, {problem}) => ({look: 'bad', title: i18n.t('verdict.refused'), why: reason(i18n, problem)}),
  off: (i18n) => ({look: 'off', title: i18n.t('verdict.off'), why: i18n.t('verdict.off.why')}),
};
