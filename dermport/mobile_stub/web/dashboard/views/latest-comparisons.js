/** @file The latest comparisons, newest first, a page at a time. */

import {fill, h} from '../../lib/dom.js';
import {comparisonView} from './comparison.js';
import {problem} from './panel.js';
import {segments} from './segments.js';

/** Shows the pages that were asked for so far. */
export class LatestComparisons {
  #i18n;
  #page;
  #list;

  /**
   * @param {import('../i18n.js').DashboardI18n} i18n
   * @param {function(?string): Promise<{items: Object[], next: ?string}>} page gives a page after a cursor.
   */
  constructor(i18n, page) {
    this.#i18n = i18n;
    this.#page = page;
    this.#list = null;
  }

  /**
   * Return the view of a first page.
   * @param {{items: Object[], next: ?string}} first
   * @param {import('../data/names.js').Names} names
   * @returns {HTMLElement}
   */
  view(first, names) {
    if (first.items.length === 0) return h('p', {class: 'quiet'}, this.#i18n.t('latest.none'));
    const open = this.#open();
    this.#list = h('div', {class: 'comparisons'});
    const below = h('div', {class: 'below'});
    this.#add(first, names, this.#list, below);
    const again = [...this.#list.children].filter(({dataset}) => open.has(dataset.id));
    (again.length > 0 ? again : [this.#list.firstElementChild]).forEach((details) => (details.open = true));
    return h('div', {}, this.#list, below);
  }

  /** What is being read stays open when everything is asked for anew. */
  #open() {
    return new Set([...(this.#list?.children ?? [])].filter(({open}) => open).map(({dataset}) => dataset.id));
  }

  /** Return the choice between disagreements and all. @param {string} chosen @param {function(string)} choose */
  choice(chosen, choose) {
    const options = ['false', ''].map((value) => [value, this.#i18n.t(`latest.${value}`)]);
    return segments('latest', this.#i18n.t('latest.show'), options, chosen, choose);
  }

  #add({items, next}, names, list, below) {
    list.append(...items.map((item) => comparisonView(item, names, this.#i18n)));
    const ask = ({target}) => this.#more(next, names, list, below, target);
    const more = h('button', {type: 'button', onclick: ask}, this.#i18n.t('latest.more'));
    fill(below, next ? more : null);
  }

  async #more(cursor, names, list, below, button) {
    button.disabled = true;
    const at = list.childElementCount;
    try {
      this.#add(await this.#page(cursor), names, list, below);
      list.children[at]?.querySelector('summary').focus();
    } catch (error) {
      button.disabled = false;
      fill(below, problem(error, this.#i18n), button);
    }
  }
}
