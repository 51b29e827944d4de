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
    const list = h('div', {class: 'comparisons'});
    const below = h('div', {class: 'below'});
    this._add(first, names, list, below);
    list.firstElementChild.open = true;
    return h('div', {}, list, below);
  }

  /** Return the choice between disagreements and all. @param {string} chosen @param {function(string)} choose */
  choice(chosen, choose) {
    const options = ['false', ''].map((value) => [value, this._say.t(`latest.${value}`)]);
    return segments('latest', this._say.t('latest.show'), options, chosen, choose);
  }

  _add({items, next}, names, list, below) {
    list.append(...items.map((item) => comparisonView(item, names, this._say, false)));
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
