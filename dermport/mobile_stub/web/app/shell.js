import {fill, h, icon} from './dom.js';
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
    let language = app.words.language;
    settings.addEventListener('change', () => {
      if (language !== app.words.language) this.show();
      language = app.words.language;
    });
    jetson.addEventListener('state', () => this.#tellState());
    queue.addEventListener('change', () => this.#tellState());
    offline.addEventListener('newer', () => this.#tellNewer());
    addEventListener('hashchange', () => this.#route());
  }

  /** Draws everything, in the language that is set. */
  show() {
    const {words} = this.#app;
    document.documentElement.lang = words.language;
    this.#main = h('main', {id: 'main', tabindex: -1});
    this.#live = h('p', {class: 'unseen', role: 'status'});
    this.#status = h('p', {class: 'status'});
    this.#newer = h('div', {class: 'newer', hidden: true});
    const skip = h('a', {class: 'skip', href: '#main', on: {click: (event) => this.#skip(event)}}, words.say('skip'));
    fill(this.#body, skip, this.#header(), this.#newer, this.#main, this.#tabs(), this.#live);
    this.#tellState();
    this.#route({first: true});
  }

  #header() {
    const logo = h('img', {src: 'icons/icon.svg', alt: '', width: 28, height: 28});
    return h('header', {},
      h('div', {class: 'top'}, h('p', {class: 'name'}, logo, 'dermport'), this.#status),
      h('p', {class: 'notice'}, this.#app.words.say('notice')));
  }

  #tabs() {
    const {words} = this.#app;
    return h('nav', {'aria-label': words.say('nav')}, TABS.map(([name, drawing]) =>
      h('a', {href: `#${name}`, id: `tab-${name}`, on: {click: () => this.#again(name)}},
        icon(drawing), h('span', {}, words.say(`nav.${name}`)))));
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
    const {words, jetson, queue} = this.#app;
    const waiting = await queue.count();
    fill(this.#status, h('span', {class: `dot ${jetson.state}`}), words.say(`status.${jetson.state}`),
      waiting > 0 && h('span', {class: 'waiting'}, words.say('status.waiting', {count: waiting})));
  }

  #tellNewer() {
    const {words, offline} = this.#app;
    const button = h('button', {on: {click: () => offline.renew()}}, words.say('newer.use'));
    fill(this.#newer, h('p', {}, words.say('newer')), button);
    this.#newer.hidden = false;
  }
}
