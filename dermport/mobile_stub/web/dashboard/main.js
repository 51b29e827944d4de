/** @file Starts the dashboard. */

import {Api} from './data/api.js';
import {Key} from './data/key.js';
import {Dashboard} from './dashboard.js';
import {LANGUAGES, readersLanguage, rememberLanguage, sayIn} from './lib/language.js';
import {h} from './lib/dom.js';

const MINUTE = 60_000;

start();

function start() {
  const key = new Key();
  const api = new Api(new URL('../', document.baseURI).href, () => key.value);
  const language = readersLanguage();
  const dashboard = new Dashboard(api, key, translated(language));
  languages(language);
  document.getElementById('refresh').addEventListener('click', () => dashboard.load());
  document.getElementById('forget').addEventListener('click', () => dashboard.forget());
  setInterval(() => document.getElementById('every').checked && !document.hidden && dashboard.load(), MINUTE);
  dashboard.load();
}

/** Puts the page's own words into a language, and returns who says the others. */
function translated(tag) {
  const say = sayIn(tag);
  document.documentElement.lang = tag;
  document.title = say.t('title');
  document.querySelectorAll('[data-t]').forEach((element) => (element.textContent = say.t(element.dataset.t)));
  document.getElementById('totals').setAttribute('aria-label', say.t('total.heading'));
  return say;
}

function languages(chosen) {
  const select = document.getElementById('language');
  select.append(
    ...Object.entries(LANGUAGES).map(([tag, [name]]) => h('option', {value: tag, selected: tag === chosen}, name)),
  );
  select.addEventListener('change', () => {
    rememberLanguage(select.value);
    location.reload(); // the key and the filters stay: they are in the tab's storage and in the address
  });
}
