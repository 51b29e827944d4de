import {h, icon} from '../dom.js';

/**
 * What one side says: class, decision, score against the threshold.
 * @param {import('../words.js').Words} words
 * @param {'phone'|'jetson'} who
 * @param {{label: {id: string, name: string}, probability: number, rule: string, score: number, threshold: number,
 *     positive: boolean|null, reasons: {code: string, words?: string}[]}|null} said null: no answer yet
 * @param {HTMLElement|string} [otherwise] what stands there without an answer
 * @returns {HTMLElement}
 */
export function side(words, who, said, otherwise = '–') {
  const title = h('h2', {}, icon(who), words.say(`side.${who}`));
  if (!said) return h('section', {class: `card side ${who}`}, title, h('div', {class: 'none'}, otherwise));
  if (said.positive === null) return h('section', {class: `card side ${who}`}, title, withheld(words, said));
  const figures = {score: words.percent(said.score), threshold: words.percent(said.threshold)};
  return h('section', {class: `card side ${who}`}, title,
    h('p', {class: 'says'}, words.label(said.label)),
    h('p', {class: 'probability'}, words.percent(said.probability)),
    h('p', {class: `decision ${said.positive ? 'positive' : 'negative'}`}, decision(words, said)),
    meter(said),
    h('p', {class: 'score'}, words.say('decision.score', figures)));
}

/** Why the model cannot tell (a code that this app does not know, in the server's words); what it would name, last. */
function withheld(words, {reasons = [], label, probability}) {
  const figures = {label: words.label(label), probability: words.percent(probability)};
  return [
    h('p', {class: 'says decision withheld'}, words.say('decision.cannot-tell')),
    h('ul', {class: 'reasons'}, reasons.map(({code, words: english}) =>
      h('li', {}, words.sayOr(`reason.${code}`) || words.sayOr(code.replace('quality:', 'hint.')) ||
        h('span', {lang: 'en'}, english ?? code)))),
    h('p', {class: 'quiet'}, words.say('decision.for-research', figures)),
  ];
}

function decision(words, {rule, positive}) {
  const answer = positive ? 'yes' : 'no';
  return words.sayOr(`decision.${rule}.${answer}`) || words.say(`decision.${answer}`, {rule});
}

function meter({score, threshold, positive}) {
  const drawn = h('div', {class: `meter ${positive ? 'positive' : 'negative'}`, 'aria-hidden': 'true'},
    h('span', {class: 'filled'}), h('span', {class: 'tick'}));
  drawn.style.setProperty('--share', Math.min(score, 1));
  drawn.style.setProperty('--threshold', threshold);
  return drawn;
}
