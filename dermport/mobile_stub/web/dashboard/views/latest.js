/** @file The latest comparisons, newest first, a page at a time. */

import {h} from '../lib/dom.js';
import {comparisonView} from './comparison.js';
import {problem} from './panel.js';
import {segments} from './segments.js';

/** Shows the pages that were asked for so far. */
export class Latest {
  /**
   * @param {import('../lib/say.js').Say} say
   * @param {function(?string): Promise<{items: Object[], next: ?string}>} page gives a page after a cursor.
   */
  constructor(say, page) {
    this._say = say;
    this._page = page;
    this._list = null;
  }

  /**
   * Return the view of a first page.
   * @param {{items: Object[], next: ?string}} first
   * @param {import('../data/names.js').Names} names
   * @returns {HTMLElement}
   */
  view(first, names) {
    if (first.items.length === 0) {
      return h('p', {class: 'quiet'}, this._say.t('latest.none'));
    }
    const open = this._open();
    this._list = h('div', {class: 'comparisons'});
    const below = h('div', {class: 'below'});
    this._add(first, names, this._list, below);
    const again = [...this._list.children].filter(({dataset}) => open.has(dataset.id));
    (again.length > 0 ? again : [this._list.firstElementChild]).forEach((details) => (details.open = true));
    return h('div', {}, this._list, below);
  }

  /** What is being read stays open when everything is asked for anew. */
  _open() {
    return new Set([...(this._list?.children ?? [])].filter(({open}) => open).map(({dataset}) => dataset.id));
  }

  /** Return the choice between disagreements and all. @param {string} chosen @param {function(string)} choose */
  choice(chosen, choose) {
    const options = ['false', ''].map((value) => [value, this._say.t(`latest.${value}`)]);
    return segments('latest', this._say.t('latest.show'), options, chosen, choose);
  }

  _add({items, next}, names, list, below) {
    list.append(...items.map((item) => comparisonView(item, names, this._say)));
    const more = h('button', {type: 'button'}, this._say.t('latest.more'));
    more.addEventListener('click', () => this._more(next, names, list, below, more));
    below.replaceChildren(...(next ? [more] : []));
  }

  async _more(cursor, names, list, below, button) {
    button.disabled = true;
    const at = list.childElementCount;
    try {
      this._add(await this._page(cursor), names, list, below);
      list.children[at]?.querySelector('summary').focus();
    } catch (error) {
      button.disabled = false;
      below.replaceChildren(problem(error, this._say), button);
    }
  }
}
