import {h} from '../../lib/dom.js';

const WORTH_SAYING = 0.01; // of the whole difference

/**
 * Why the two differ: the cause, what each factor makes up, what an experiment named, and a picture of it.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {object} answer a ComparisonAnswer
 * @param {'photo'|'prepared'} sent
 * @returns {HTMLElement|null} null where they do not differ
 */
export function why(i18n, answer, sent) {
  const {verdict, missing} = answer;
  const unseen = sent === 'prepared' && h('p', {class: 'quiet'}, i18n.t('why.prepared-only'));
  if (verdict.cause === 'same') return unseen || null;
  return h('section', {class: 'card why'},
    h('h2', {}, i18n.t('why.title')),
    h('p', {class: 'strong'}, i18n.tOr(`cause.${verdict.cause}`) || h('span', {lang: 'en'}, verdict.words)),
    faults(i18n, answer.faults ?? []),
    parts(i18n, answer.steps),
    picture(i18n, answer.difference_png),
    unseen,
    missing.length > 0 && h('details', {}, h('summary', {}, i18n.t('why.missing')),
      h('ul', {lang: 'en'}, missing.map((one) => h('li', {}, one)))));
}

function faults(i18n, found) {
  if (!found.length) return null;
  return [h('h3', {}, i18n.t('why.fault')), h('ul', {class: 'faults'}, found.map(({code, words: english}) =>
    h('li', {}, i18n.tOr(`fault.${code}`) || h('span', {lang: 'en'}, english))))];
}

function parts(i18n, steps) {
  const shown = steps.filter(({share}) => share >= WORTH_SAYING).sort((one, other) => other.share - one.share);
  if (!shown.length) return null;
  return [h('h3', {}, i18n.t('why.parts')), h('ul', {class: 'parts'}, shown.map((step) => part(i18n, step)))];
}

function part(i18n, {cause, change, share, within_policy: within}) {
  const filled = h('span', {class: 'filled'});
  filled.style.setProperty('--share', share);
  const allowed = within && h('span', {class: 'quiet'}, ` (${i18n.t('why.within')})`);
  return h('li', {},
    h('p', {class: 'class-name'}, i18n.tOr(`part.${cause}`, cause), allowed),
    h('p', {class: 'bar'},
      h('span', {class: 'track', 'aria-hidden': 'true'}, filled),
      h('span', {class: 'value'}, i18n.percent(change))));
}

function picture(i18n, base64) {
  if (!base64) return null;
  const caption = i18n.t('why.difference');
  return h('figure', {}, h('img', {src: `data:image/png;base64,${base64}`, alt: ''}), h('figcaption', {}, caption));
}
