/** @file A section of the page: its figures, what it waits for, or why it has none. */

import {fill, h} from '../../lib/dom.js';

/** Shows one thing at a time in a section's body. */
export class Panel {
  #body;
  #i18n;

  /**
   * @param {HTMLElement} section with an element of the class "body".
   * @param {import('../i18n.js').DashboardI18n} i18n
   */
  constructor(section, i18n) {
    this.section = section;
    this.#body = section.querySelector('.body');
    this.#i18n = i18n;
  }

  /** Say that something is on its way; what is shown stays until it is there. */
  wait() {
    this.section.setAttribute('aria-busy', 'true');
    if (!this.#body.hasChildNodes()) this.#body.append(h('p', {class: 'quiet'}, this.#i18n.t('loading')));
  }

  /** Show elements. @param {...(Node|string|null|Array)} nodes */
  show(...nodes) {
    const focused = this.#controls().indexOf(document.activeElement);
    const opened = new Set(this.#details().filter(({open}) => open).map(nameOf));
    this.section.removeAttribute('aria-busy');
    fill(this.#body, nodes);
    // new figures do not close what somebody is reading
    for (const details of this.#details()) {
      details.open ||= opened.has(nameOf(details));
    }
    if (focused >= 0) {
      // whoever works by keyboard goes on from the same place
      this.#controls()
        .slice(0, focused + 1)
        .at(-1)
        ?.focus({preventScroll: true});
    }
  }

  #details() {
    return [...this.#body.querySelectorAll('details')];
  }

  #controls() {
    return [...this.#body.querySelectorAll('button, input, summary')];
  }

  /**
   * Show why there is nothing.
   * @param {import('../data/api.js').ApiError} error
   * @param {function()} again asks again.
   */
  fail(error, again) {
    this.show(
      problem(error, this.#i18n),
      h('p', {}, h('button', {type: 'button', onclick: again}, this.#i18n.t('error.again'))),
    );
  }
}

/** Two comparisons of one minute can read alike: what has an id goes by it. */
function nameOf(details) {
  return details.dataset.id ?? details.querySelector('summary')?.textContent;
}

/**
 * Return what was refused, and what to do about it.
 * @param {import('../data/api.js').ApiError} error
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function problem(error, i18n) {
  const unreached = error.status === 0;
  return h('div', {class: 'problem', role: 'alert'},
    h('strong', {}, unreached ? i18n.t('error.unreachable') : error.message),
    h('span', {}, unreached ? i18n.t('error.unreachable.remedy') : (error.remedy ?? '')),
    error.requestId && h('small', {}, i18n.t('error.request', {id: error.requestId})));
}
