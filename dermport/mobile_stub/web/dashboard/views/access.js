/** @file Asks for the API key. */

import {h} from '../lib/dom.js';
import {problem} from './panel.js';

const COMMAND = 'dermport keys create "Dashboard" --scope admin';

/**
 * Return the form.
 * @param {?import('../data/api.js').ApiError} refused why the key before was refused; null for the first.
 * @param {function(string)} open is called with the key.
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function accessForm(refused, open, say) {
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
  return h(
    'form',
    {class: 'access', onsubmit: submit},
    h('h2', {}, say.t('access.heading')),
    h('p', {}, say.t('access.words')),
    h('pre', {tabindex: '0'}, h('code', {}, COMMAND)),
    refused && problem(refused, say),
    h('label', {for: 'key'}, say.t('access.label')),
    h('div', {class: 'row'}, input, h('button', {class: 'primary'}, say.t('access.open'))),
    h('p', {class: 'quiet'}, say.t('access.kept')),
  );
}
