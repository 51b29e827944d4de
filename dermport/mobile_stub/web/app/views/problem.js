import {h} from '../../lib/dom.js';
import {icon} from '../icons.js';

/**
 * What went wrong, in the user's language where the app knows it, else in the words of whoever said it.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {{code?: string, message: string, remedy?: string}} error
 * @param {string} [title] a key
 * @returns {HTMLElement}
 */
export function problem(i18n, error, title = 'error.title') {
  return h('div', {class: 'problem', role: 'alert'}, icon('alert'),
    h('div', {}, h('p', {class: 'strong'}, i18n.t(title)), h('p', {}, reason(i18n, error))));
}

/**
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {{code?: string, message: string, remedy?: string}} error
 * @returns {string|HTMLElement} of a refusal by the server, its words too
 */
export function reason(i18n, error) {
  const known = i18n.tOr(`error.${error.code}`);
  if (known && error.code !== 'refused') return known;
  return h('span', {}, known, ' ', h('span', {lang: 'en'}, [error.message, error.remedy].filter(Boolean).join(' ')));
}
