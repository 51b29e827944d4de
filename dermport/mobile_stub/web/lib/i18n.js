/** @file Messages, numbers and times in the reader's language. */

const NAMED = /\{(\w+)\}/g;
/** |Δp|, joined so that no line ends within it. */
const CHANGE = '|\u2060Δp\u2060|';

/**
 * The messages of a language by key; what counts `{n}` has a form for each plural category. "language.name" is the
 * language's own name.
 * @typedef {Object<string, string|Object<string, string>>} Catalogue
 */

/** Speaks one of several languages. */
export class I18n {
  #catalogues;
  #plural;
  #numbers;

  /** @param {Object<string, Catalogue>} catalogues by BCP 47 language, English among them; further as {@link choose} */
  constructor(catalogues, ...choice) {
    this.#catalogues = catalogues;
    this.choose(...choice);
  }

  /**
   * Speaks the chosen language; where that is none, the first of the preferred ones that there is.
   * @param {string} [chosen]
   * @param {readonly string[]} [preferred] BCP 47 tags, the best first; their countries decide how dates and numbers
   *     are written
   */
  choose(chosen = '', preferred = navigator.languages) {
    const found = [chosen, ...preferred].map(languageOf).find((one) => Object.hasOwn(this.#catalogues, one));
    /** @type {string} what is spoken */
    this.language = found ?? 'en';
    /** @type {string} the same with the reader's country, where that is known */
    this.locale = preferred.find((tag) => languageOf(tag) === this.language) ?? this.language;
    this.#plural = new Intl.PluralRules(this.locale);
    this.#numbers = new Map();
  }

  /** @returns {[string, string][]} every language with its own name */
  get languages() {
    return Object.entries(this.#catalogues).map(([language, messages]) => [language, messages['language.name']]);
  }

  /**
   * @param {string} key a key without a message is said as it is, and is an error of the console
   * @param {Object<string, string|number>} [values] put where the message has {name}; numbers are written as counts
   * @returns {string}
   */
  t(key, values = {}) {
    if (!this.has(key)) console.error(`There is no message "${key}".`);
    const found = this.#messages[key] ?? key;
    const message = typeof found === 'string' ? found : (found[this.#plural.select(values.n)] ?? found.other);
    return message.replace(NAMED, (_, name) => this.#written(values[name])).replaceAll('|Δp|', CHANGE);
  }

  /**
   * @param {string} key of a message, or not
   * @param {string} [otherwise] what somebody else, a newer server, say, calls it
   * @returns {string}
   */
  tOr(key, otherwise = '') {
    return this.has(key) ? this.t(key) : otherwise;
  }

  /** @param {string} key @returns {boolean} whether there is a message of that key */
  has(key) {
    return Object.hasOwn(this.#messages, key);
  }

  /** @param {number} n @returns {string} a whole number */
  count(n) {
    return this.number(n, 0);
  }

  /**
   * @param {number} x
   * @param {number} [digits] decimals, at most
   * @param {Intl.NumberFormatOptions} [options]
   * @returns {string}
   */
  number(x, digits = 2, options = {}) {
    const form = {maximumFractionDigits: digits, ...options};
    const key = JSON.stringify(form);
    if (!this.#numbers.has(key)) this.#numbers.set(key, new Intl.NumberFormat(this.locale, form));
    return this.#numbers.get(key).format(x);
  }

  /** @param {string|Date} time @returns {string} date and time of the reader's own zone */
  time(time) {
    return this.date(time, {dateStyle: 'medium', timeStyle: 'short'});
  }

  /** @param {string|number|Date} time @param {Intl.DateTimeFormatOptions} form @returns {string} */
  date(time, form) {
    return new Intl.DateTimeFormat(this.locale, form).format(new Date(time));
  }

  get #messages() {
    return this.#catalogues[this.language];
  }

  #written(value) {
    return typeof value === 'number' ? this.count(value) : String(value ?? '');
  }
}

function languageOf(tag) {
  return tag.toLowerCase().split('-')[0];
}
