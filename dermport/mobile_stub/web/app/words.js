import en from './words/en.js';
import es from './words/es.js';
import fr from './words/fr.js';

/** Every language that the app speaks, by its BCP 47 name. */
export const CATALOGUES = Object.freeze({en, es, fr});
const NAMED = /\{(\w+)\}/g;

/** The app's words in the user's language: the one that was chosen, else the first of the browser's that it speaks. */
export class Words {
  #settings;

  /** @param {import('./settings.js').Settings} settings */
  constructor(settings) {
    this.#settings = settings;
  }

  /** @returns {'en'|'es'|'fr'} */
  get language() {
    const {language} = this.#settings.values;
    const wanted = [language, ...navigator.languages.map((one) => one.split('-')[0]), 'en'];
    return wanted.find((one) => one in CATALOGUES);
  }

  /** @returns {string} where the browser's user writes that language: dates and numbers have their form */
  get #place() {
    const {language} = this;
    return navigator.languages.find((one) => one.split('-')[0] === language) ?? language;
  }

  /**
   * @param {string} key of the catalogues
   * @param {Object<string, string|number>} [values] for the {names} in it
   * @returns {string}
   */
  say(key, values = {}) {
    return CATALOGUES[this.language][key].replace(NAMED, (_, name) => values[name]);
  }

  /**
   * @param {string} key of the catalogues, or not
   * @param {string} [otherwise] what somebody else, a newer server, say, calls it in English
   * @returns {string}
   */
  sayOr(key, otherwise = '') {
    return CATALOGUES[this.language][key] ?? otherwise;
  }

  /** @param {{id: string, name: string}} label @returns {string} its name in this language, or as the model has it */
  label({id, name}) {
    return this.sayOr(`label.${id}`, name);
  }

  /** @param {number} share 0 to 1 @returns {string} "12.3%" */
  percent(share) {
    return this.#number(share, {style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1});
  }

  /** @param {number} milliseconds @returns {string} "12 ms" or "1.2 s" */
  duration(milliseconds) {
    return milliseconds < 1000
      ? this.#number(milliseconds, {style: 'unit', unit: 'millisecond', maximumFractionDigits: 0})
      : this.#number(milliseconds / 1000, {style: 'unit', unit: 'second', maximumFractionDigits: 1});
  }

  /** @param {string} iso @returns {string} date and time of this place */
  time(iso) {
    return new Intl.DateTimeFormat(this.#place, {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(iso));
  }

  /** @param {number} value @returns {string} "+1.2" */
  signed(value) {
    return this.#number(value, {signDisplay: 'always', minimumFractionDigits: 1, maximumFractionDigits: 1});
  }

  #number(value, options) {
    return new Intl.NumberFormat(this.#place, options).format(value);
  }
}
