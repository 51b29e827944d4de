/** @file Elements, made without markup: what comes from a server is only ever text. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Return an HTML element.
 * @param {string} tag its name.
 * @param {Object<string, *>} [attributes] `on…` are listeners, `null` and `false` are left out.
 * @param {...(Node|string|number|null|Array)} children nodes or text; null is left out.
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * Return an SVG element; see {@link h}.
 * @param {string} tag
 * @param {Object<string, *>} [attributes]
 * @param {...(Node|string|number|null|Array)} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    set(element, name, value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    return;
  }
  if (name.startsWith('on')) {
    element.addEventListener(name.slice(2), value);
  } else {
    element.setAttribute(name, value === true ? '' : value);
  }
}
