const KEY = 'dermport-settings';

/**
 * @typedef {object} Values
 * @property {string} apiKey of this phone; empty where the server asks for none
 * @property {string} device a pseudonym; empty: the one that the model store drew
 * @property {'photo'|'prepared'|'nothing'} privacy what leaves the phone
 * @property {'auto'|'en'|'es'|'fr'} language
 * @property {string} precision of the model on the phone
 */

/** @type {Values} */
const DEFAULTS = Object.freeze({apiKey: '', device: '', privacy: 'photo', language: 'auto', precision: 'int8'});

/** What the user chose, kept by the browser. Fires "change". */
export class Settings extends EventTarget {
  #values = {...DEFAULTS, ...read()};

  /** @returns {Values} */
  get values() {
    return this.#values;
  }

  /** @param {Partial<Values>} changed */
  set(changed) {
    this.#values = {...this.#values, ...changed};
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // A private window may keep nothing: the choice then lasts until the page is closed.
    }
    this.dispatchEvent(new Event('change'));
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
