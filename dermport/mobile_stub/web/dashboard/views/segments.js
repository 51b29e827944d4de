/** @file One of a few things to choose: radio buttons that look like one bar. */

import {fill, h} from '../../lib/dom.js';

/**
 * Return the choice.
 * @param {string} name of the radio buttons; one of its own on the page.
 * @param {string} legend what is chosen.
 * @param {Array<[string, string]>} options value and text.
 * @param {string} chosen
 * @param {function(string)} choose is called with the value that is chosen.
 * @returns {HTMLElement}
 */
export function segments(name, legend, options, chosen, choose) {
  const buttons = options.map(([value, text]) =>
    h('label', {},
      h('input', {type: 'radio', name, value, checked: value === chosen, onchange: () => choose(value)}),
      h('span', {}, text)),
  );
  return h('fieldset', {class: 'segments'}, h('legend', {class: 'unseen'}, legend), buttons);
}

/**
 * Return the choice, and below it what is drawn of the value that is chosen.
 * @param {string} name
 * @param {string} legend
 * @param {Array<[string, string]>} options
 * @param {string} chosen
 * @param {function(string): *} draw gives the content for a value.
 * @returns {HTMLElement}
 */
export function switched(name, legend, options, chosen, draw) {
  const place = h('div', {}, draw(chosen));
  return h('div', {}, segments(name, legend, options, chosen, (value) => fill(place, draw(value))), place);
}
