/** @file Elements, made without markup: what people or servers said is only ever text. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an HTML element.
 * @param {string} tag
 * @param {Object<string, *>} [attributes] `on…` are listeners; null, undefined and false are left out
 * @param {...(Node|string|number|null|undefined|false|Array)} children nodes or text; what is not there is left out
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

/**
 * Makes an SVG element; see {@link h}.
 * @param {string} tag
 * @param {Object<string, *>} [attributes]
 * @param {...*} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Puts other content in the place of an element's.
 * @param {Element} element
 * @param {...*} children as of {@link h}
 * @returns {Element}
 */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(isThere));
  return element;
}

/** @param {string} id @returns {HTMLElement} of this page */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Saves a file on the reader's device.
 * @param {string} name
 * @param {Blob} file
 */
export function save(name, file) {
  const address = URL.createObjectURL(file);
  h('a', {href: address, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (isThere(value)) element.setAttribute(name, value === true ? '' : value);
  }
  return fill(element, children);
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}
