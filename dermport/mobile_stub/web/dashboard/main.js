/** @file Starts the dashboard. */

import {byId, h} from '../lib/dom.js';
import {Dashboard} from './dashboard.js';
import {Api} from './data/api.js';
import {Key} from './data/key.js';
import {DashboardI18n} from './i18n.js';

const MINUTE = 60_000;
const LANGUAGE = 'dermport-language'; // where the reader's choice is stored

start();

function start() {
  const key = new Key();
  const api = new Api(new URL('../', document.baseURI).href, () => key.value);
  const i18n = new DashboardI18n(chosenLanguage());
  translate(i18n);
  offerLanguages(i18n);
  const dashboard = new Dashboard(api, key, i18n);
  byId('refresh').addEventListener('click', () => dashboard.load());
  byId('forget').addEventListener('click', () => dashboard.forget());
  setInterval(() => byId('every').checked && !document.hidden && dashboard.load(), MINUTE);
  dashboard.load();
}

/** Puts the page's own words into the reader's language. */
function translate(i18n) {
  document.documentElement.lang = i18n.language;
  document.title = i18n.t('title');
  document.querySelectorAll('[data-t]').forEach((element) => (element.textContent = i18n.t(element.dataset.t)));
  byId('totals').setAttribute('aria-label', i18n.t('total.heading'));
}

function offerLanguages(i18n) {
  const select = byId('language');
  const option = ([tag, name]) => h('option', {value: tag, selected: tag === i18n.language}, name);
  select.append(...i18n.languages.map(option));
  select.addEventListener('change', () => {
    rememberLanguage(select.value);
    location.reload(); // the key and the filters stay: they are in the tab's storage and in the address
  });
}

function chosenLanguage() {
  try {
    return localStorage.getItem(LANGUAGE) ?? '';
  } catch {
    return '';
  }
}

function rememberLanguage(tag) {
  try {
    localStorage.setItem(LANGUAGE, tag);
  } catch {
    // A browser that stores nothing asks again next time.
  }
}
