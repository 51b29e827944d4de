/** @file Words and numbers in the reader's language. */

const SUPERSCRIPT = {'-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹'};
const MISSING = '–';
/** |Δp|, joined so that no line ends within it. */
const CHANGE = '|\u2060Δp\u2060|';
/** What a sum of floats may lack of 1. */
const WHOLE = 1 - 1e-9;

/** Says things in one language. */
export class Say {
  /**
   * @param {string} language a BCP 47 tag.
   * @param {Object<string, string|Object<string, string>>} messages by key; plurals by category, chosen by `{n}`.
   */
  constructor(language, messages) {
    this.language = language;
    this._messages = messages;
    this._plural = new Intl.PluralRules(language);
    this._numbers = new Map();
  }

  /**
   * Return a message.
   * @param {string} key
   * @param {Object<string, string|number>} [values] put where the message has `{name}`; whole numbers are formatted.
   * @returns {string}
   */
  t(key, values = {}) {
    const found = this._messages[key] ?? key;
    const message = typeof found === 'string' ? found : (found[this._plural.select(values.n)] ?? found.other);
    return message.replace(/\{(\w+)\}/g, (_, name) => this._value(values[name])).replaceAll('|Δp|', CHANGE);
  }

  /** Whether there is a message of that key. @param {string} key @returns {boolean} */
  knows(key) {
    return key in this._messages;
  }

  /** Return a whole number. @param {number} n @returns {string} */
  count(n) {
    return this._number({maximumFractionDigits: 0}).format(n);
  }

  /** Return a number with at most `digits` decimals. @param {number} x @param {number} digits @returns {string} */
  number(x, digits = 2) {
    return this._number({maximumFractionDigits: digits}).format(x);
  }

  /**
   * Return a share in per cent; one that is not whole is never rounded to 100 %.
   * @param {number} x
   * @returns {string}
   */
  percent(x) {
    const digits = x < WHOLE && x >= 0.9995 ? 2 : 1;
    return this._number({style: 'percent', maximumFractionDigits: digits}).format(x < WHOLE ? Math.min(x, 0.9999) : 1);
  }

  /** Return a share that counts, or a dash where there is nothing to count. @param {Share} share @returns {string} */
  share({count, of}) {
    return of === 0 ? MISSING : this.percent(count / of);
  }

  /** Return a share's interval. @param {Share} share @returns {string} */
  interval({low, high}) {
    return this.t('interval', {low: this.percent(low), high: this.percent(high)});
  }

  /**
   * Return a change of a probability: decimals, or a power of ten where it is small.
   * @param {?number} x
   * @returns {string}
   */
  change(x) {
    if (x === null || x === undefined) {
      return MISSING;
    }
    if (x === 0 || x >= 1e-3) {
      return this.number(x, 3);
    }
    const [digits, power] = x.toExponential(1).split('e');
    return `${this.number(Number(digits), 1)} × ${powerOfTen(Number(power))}`;
  }

  /** Return a signed difference of probabilities. @param {?number} x @returns {string} */
  signed(x) {
    return x === null || x === undefined
      ? MISSING
      : this._number({maximumFractionDigits: 4, signDisplay: 'exceptZero'}).format(x);
  }

  /** Return a time of the reader's own zone. @param {string|Date} time @returns {string} */
  time(time) {
    return new Intl.DateTimeFormat(this.language, {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(time));
  }

  /** Return the time of a day. @param {Date} time @returns {string} */
  clock(time) {
    return new Intl.DateTimeFormat(this.language, {timeStyle: 'medium'}).format(time);
  }

  /** Return a day of UTC. @param {string|number} day @param {boolean} [short] without the year. @returns {string} */
  day(day, short = false) {
    const parts = {day: 'numeric', month: 'short', ...(short ? {} : {year: 'numeric'}), timeZone: 'UTC'};
    return new Intl.DateTimeFormat(this.language, parts).format(new Date(day));
  }

  /** Return an amount of memory. @param {number} bytes @returns {string} */
  bytes(bytes) {
    return `${this.number(bytes / 2 ** 20, bytes < 2 ** 24 ? 1 : 0)} MiB`;
  }

  /** Return a duration. @param {?number} seconds @returns {string} */
  milliseconds(seconds) {
    return seconds === null ? MISSING : `${this.number(seconds * 1000, seconds < 0.01 ? 1 : 0)} ms`;
  }

  _value(value) {
    return typeof value === 'number' ? this.count(value) : String(value ?? '');
  }

  _number(options) {
    const key = JSON.stringify(options);
    if (!this._numbers.has(key)) {
      this._numbers.set(key, new Intl.NumberFormat(this.language, options));
    }
    return this._numbers.get(key);
  }
}

/**
 * Return a power of ten as people write it, e.g. 10⁻⁶.
 * @param {number} power
 * @returns {string}
 */
export function powerOfTen(power) {
  return power === 0 ? '1' : `10${[...String(power)].map((character) => SUPERSCRIPT[character]).join('')}`;
}

/**
 * The API's share: how many of how many, with Wilson's 95 % interval.
 * @typedef {{count: number, of: number, low: number, high: number}} Share
 */
