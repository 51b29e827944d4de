/** @file Asks for the API key. */

import {h} from '../../lib/dom.js';
import {problem} from './panel.js';

const COMMAND = 'dermport keys create "Dashboard" --scope admin';

/**
 * Return the form.
 * @param {?import('../data/api.js').ApiError} refused why the key before was refused; null for the first.
 * @param {function(string)} open is called with the key.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function accessForm(refused, open, i18n) {
  const input = h('input', {
    id: 'key',
    name: 'key',
    type: 'password',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  const submit = (event) => {
    event.preventDefault();
    open(input.value);
  };
  return h('form', {class: 'access', onsubmit: submit},
    h('h2', {}, i18n.t('access.heading')),
    h('p', {}, i18n.t('access.words')),
    h('pre', {tabindex: '0'}, h('code', {}, COMMAND)),
    refused && problem(refused, i18n),
    h('label', {for: 'key'}, i18n.t('access.label')),
    h('div', {class: 'row'}, input, h('button', {class: 'primary'}, i18n.t('access.open'))),
    h('p', {class: 'quiet'}, i18n.t('access.kept')));
}
