/** @file A section of the page: its figures, what it waits for, or why it has none. */

import {h} from '../lib/dom.js';

/** Shows one thing at a time in a section's body. */
export class Panel {
  /**
   * @param {HTMLElement} section with an element of the class "body".
   * @param {import('../lib/say.js').Say} say
   */
  constructor(section, say) {
    this.section = section;
    this._body = section.querySelector('.body');
    this._say = say;
  }

  /** Say that something is on its way; what is shown stays until it is there. */
  wait() {
    this.section.setAttribute('aria-busy', 'true');
    if (!this._body.hasChildNodes()) {
      this._body.append(h('p', {class: 'quiet'}, this._say.t('loading')));
    }
  }

  /** Show elements. @param {...(Node|string|null|Array)} nodes */
  show(...nodes) {
    const focused = this._controls().indexOf(document.activeElement);
    const opened = new Set(this._details().filter(({open}) => open).map(nameOf));
    this.section.removeAttribute('aria-busy');
    this._body.replaceChildren(...nodes.flat().filter(Boolean));
    // new figures do not close what somebody is reading
    for (const details of this._details()) {
      details.open ||= opened.has(nameOf(details));
    }
    if (focused >= 0) {
      // whoever works by keyboard goes on from the same place
      this._controls()
        .slice(0, focused + 1)
        .at(-1)
        ?.focus({preventScroll: true});
    }
  }

  _details() {
    return [...this._body.querySelectorAll('details')];
  }

  _controls() {
    return [...this._body.querySelectorAll('button, input, summary')];
  }

  /**
   * Show why there is nothing.
   * @param {import('../data/api.js').ApiError} error
   * @param {function()} again asks again.
   */
  fail(error, again) {
    this.show(
      problem(error, this._say),
      h('p', {}, h('button', {type: 'button', onclick: again}, this._say.t('error.again'))),
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
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function problem(error, say) {
  const unreached = error.status === 0;
  return h(
    'div',
    {class: 'problem', role: 'alert'},
    h('strong', {}, unreached ? say.t('error.unreachable') : error.message),
    h('span', {}, unreached ? say.t('error.unreachable.remedy') : (error.remedy ?? '')),
    error.requestId && h('small', {}, say.t('error.request', {id: error.requestId})),
  );
}
