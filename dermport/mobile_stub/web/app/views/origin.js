import {h, icon} from '../dom.js';

/**
 * What this page cannot do where it came over plain http, and how to change that; nothing on HTTPS and localhost.
 * @param {import('../words.js').Words} words
 * @returns {HTMLElement|null}
 */
export function originCard(words) {
  if (globalThis.isSecureContext) return null;
  const steps = [1, 2, 3].map((step) => h('li', {}, words.say(`origin.step.${step}`)));
  return h('section', {class: 'card origin'},
    h('h2', {}, icon('alert'), words.say('origin.title')),
    h('p', {}, words.say('origin.lead')),
    h('p', {}, words.say('origin.still')),
    h('details', {},
      h('summary', {}, words.say('origin.how')),
      h('ol', {}, steps),
      h('p', {}, words.say('origin.docs'))));
}
