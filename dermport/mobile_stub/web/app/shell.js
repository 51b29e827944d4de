import {fill, h} from '../lib/dom.js';
import {icon} from './icons.js';
import {historyView} from './views/history.js';
import {photoView} from './views/photo.js';
import {resultView} from './views/result.js';
import {settingsView} from './views/settings.js';

const VIEWS = {photo: photoView, result: resultView, history: historyView, settings: settingsView};
const TABS = [['photo', 'camera'], ['history', 'history'], ['settings', 'settings']];

/**
 * What is around the views: notice, state of the Jetson, pages, and which view is shown. A view is a function
 * (app, {say, signal, argument}) that returns its elements; its listeners end with `signal`.
 */
export class Shell {
  #body;
  #app;
  #main;
  #live;
  #status;
  #newer;
  #shown = null;

  /** @param {HTMLElement} body @param {import('./main.js').App} app */
  constructor(body, app) {
    this.#body = body;
    this.#app = app;
    const {settings, jetson, queue, offline} = app;
    let language = app.i18n.language;
    settings.addEventListener('change', () => {
      if (language !== app.i18n.language) this.show();
      language = app.i18n.language;
    });
    jetson.addEventListener('state', () => this.#tellState());
    queue.addEventListener('change', () => this.#tellState());
    offline.addEventListener('newer', () => this.#tellNewer());
    addEventListener('hashchange', () => this.#route());
  }

  /** Draws everything, in the language that is set. */
  show() {
    const {i18n} = this.#app;
    document.documentElement.lang = i18n.language;
    this.#main = h('main', {id: 'main', tabindex: -1});
    this.#live = h('p', {class: 'unseen', role: 'status'});
    this.#status = h('p', {class: 'status'});
    this.#newer = h('div', {class: 'newer', hidden: true});
    const skip = h('a', {class: 'skip', href: '#main', onclick: (event) => this.#skip(event)}, i18n.t('skip'));
    fill(this.#body, skip, this.#header(), this.#newer, this.#main, this.#tabs(), this.#live);
    this.#tellState();
    this.#route({first: true});
  }

  #header() {
    const logo = h('img', {src: 'icons/icon.svg', alt: '', width: 28, height: 28});
    return h('header', {},
      h('div', {class: 'top'}, h('p', {class: 'name'}, logo, 'dermport'), this.#status),
      h('p', {class: 'notice'}, this.#app.i18n.t('notice')));
  }

  #tabs() {
    const {i18n} = this.#app;
    return h('nav', {'aria-label': i18n.t('nav')}, TABS.map(([name, drawing]) =>
      h('a', {href: `#${name}`, id: `tab-${name}`, onclick: () => this.#again(name)},
        icon(drawing), h('span', {}, i18n.t(`nav.${name}`)))));
  }

  /** A tab leads to the beginning of its view, also from within it. */
  #again(name) {
    if (location.hash === `#${name}`) this.#route();
  }

  #skip(event) {
    event.preventDefault(); // the address names the view
    this.#main.focus();
  }

  #route({first = false} = {}) {
    const [name, argument] = location.hash.slice(1).split('/');
    const shown = name in VIEWS ? name : 'photo';
    if (shown !== name) history.replaceState(null, '', `#${shown}`); // a view has one address, and is drawn once
    this.#shown?.abort();
    this.#shown = new AbortController();
    const tools = {say: (text) => fill(this.#live, text), signal: this.#shown.signal, argument};
    fill(this.#main, VIEWS[shown](this.#app, tools));
    for (const [tab] of TABS) this.#mark(tab, shown);
    const heading = this.#main.querySelector('h1');
    document.title = `${heading.textContent} – dermport`;
    if (first) return;
    heading.focus();
    scrollTo(0, 0);
  }

  #mark(tab, shown) {
    const link = this.#body.querySelector(`#tab-${tab}`);
    if (tab === shown) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }

  async #tellState() {
    const {i18n, jetson, queue} = this.#app;
    const waiting = await queue.count();
    fill(this.#status, h('span', {class: `dot ${jetson.state}`}), i18n.t(`status.${jetson.state}`),
      waiting > 0 && h('span', {class: 'waiting'}, i18n.t('status.waiting', {count: waiting})));
  }

  #tellNewer() {
    const {i18n, offline} = this.#app;
    const button = h('button', {onclick: () => offline.renew()}, i18n.t('newer.use'));
    fill(this.#newer, h('p', {}, i18n.t('newer')), button);
    this.#newer.hidden = false;
  }
}
