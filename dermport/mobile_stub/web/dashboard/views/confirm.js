/** @file Nothing is changed before the reader has said so. */

import {fill, h} from '../../lib/dom.js';
import {problem} from './panel.js';

/**
 * What is asked.
 * @typedef {{
 *   title: string, words: Array<string|Node>, action: string, risky?: boolean, act: function(FormData): Promise<void>,
 * }} Question
 */

/**
 * Have the reader confirm, act, and close; where the server refuses, the dialog stays and says why.
 * @param {Question} question
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {Promise<boolean>} whether it was done.
 */
export function confirmed({title, words, action, risky, act}, i18n) {
  const go = h('button', {class: risky ? 'primary risky' : 'primary'}, action);
  const cancel = h('button', {type: 'button', onclick: () => dialog.close()}, i18n.t('cancel'));
  const told = h('div', {'aria-live': 'assertive'});
  const paragraphs = words.map((each) => (typeof each === 'string' ? h('p', {}, each) : each));
  const form = h('form', {method: 'dialog'},
    h('h2', {id: 'question'}, title),
    paragraphs,
    told,
    h('div', {class: 'buttons'}, cancel, go));
  const dialog = h('dialog', {'aria-labelledby': 'question'}, form);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(form, dialog, act, told, i18n);
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'done');
    });
  });
}

async function submit(form, dialog, act, told, i18n) {
  const said = new FormData(form); // before it is switched off
  const controls = [...form.querySelectorAll('button, input')];
  controls.forEach((control) => (control.disabled = true));
  form.setAttribute('aria-busy', 'true');
  try {
    await act(said);
    dialog.close('done');
  } catch (error) {
    fill(told, problem(error, i18n));
  } finally {
    form.removeAttribute('aria-busy');
    controls.forEach((control) => (control.disabled = false));
  }
}
