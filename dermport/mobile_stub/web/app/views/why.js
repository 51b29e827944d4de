import {h} from '../dom.js';

const WORTH_SAYING = 0.01; // of the whole difference

/**
 * Why the two differ: the cause, what each factor makes up, what an experiment named, and a picture of it.
 * @param {import('../words.js').Words} words
 * @param {object} answer a ComparisonAnswer
 * @param {'photo'|'prepared'} sent
 * @returns {HTMLElement|null} null where they do not differ
 */
export function why(words, answer, sent) {
  const {verdict, missing} = answer;
  const unseen = sent === 'prepared' && h('p', {class: 'quiet'}, words.say('why.prepared-only'));
  if (verdict.cause === 'same') return unseen || null;
  return h('section', {class: 'card why'},
    h('h2', {}, words.say('why.title')),
    h('p', {class: 'strong'}, words.sayOr(`cause.${verdict.cause}`) || h('span', {lang: 'en'}, verdict.words)),
    faults(words, answer.faults ?? []),
    parts(words, answer.steps),
    picture(words, answer.difference_png),
    unseen,
    missing.length > 0 && h('details', {}, h('summary', {}, words.say('why.missing')),
      h('ul', {lang: 'en'}, missing.map((one) => h('li', {}, one)))));
}

function faults(words, found) {
  if (!found.length) return null;
  return [h('h3', {}, words.say('why.fault')), h('ul', {class: 'faults'}, found.map(({code, words: english}) =>
    h('li', {}, words.sayOr(`fault.${code}`) || h('span', {lang: 'en'}, english))))];
}

function parts(words, steps) {
  const shown = steps.filter(({share}) => share >= WORTH_SAYING).sort((one, other) => other.share - one.share);
  if (!shown.length) return null;
  return [h('h3', {}, words.say('why.parts')), h('ul', {class: 'parts'}, shown.map((step) => part(words, step)))];
}

function part(words, {cause, change, share, within_policy: within}) {
  const filled = h('span', {class: 'filled'});
  filled.style.setProperty('--share', share);
  const allowed = within && h('span', {class: 'quiet'}, ` (${words.say('why.within')})`);
  return h('li', {},
    h('p', {class: 'class-name'}, words.sayOr(`part.${cause}`, cause), allowed),
    h('p', {class: 'bar'},
      h('span', {class: 'track', 'aria-hidden': 'true'}, filled),
      h('span', {class: 'value'}, words.percent(change))));
}

function picture(words, base64) {
  if (!base64) return null;
  const caption = words.say('why.difference');
  return h('figure', {}, h('img', {src: `data:image/png;base64,${base64}`, alt: ''}), h('figcaption', {}, caption));
}
