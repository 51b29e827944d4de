import {h, icon} from '../dom.js';

/**
 * What went wrong, in the user's language where the app knows it, else in the words of whoever said it.
 * @param {import('../words.js').Words} words
 * @param {{code?: string, message: string, remedy?: string}} error
 * @param {string} [title] a key
 * @returns {HTMLElement}
 */
export function complaint(words, error, title = 'error.title') {
  return h('div', {class: 'problem', role: 'alert'}, icon('alert'),
    h('div', {}, h('p', {class: 'strong'}, words.say(title)), h('p', {}, reason(words, error))));
}

/**
 * @param {import('../words.js').Words} words
 * @param {{code?: string, message: string, remedy?: string}} error
 * @returns {string|HTMLElement} of a refusal by the server, its words too
 */
export function reason(words, error) {
  const known = words.sayOr(`error.${error.code}`);
  if (known && error.code !== 'refused') return known;
  return h('span', {}, known, ' ', h('span', {lang: 'en'}, [error.message, error.remedy].filter(Boolean).join(' ')));
}
