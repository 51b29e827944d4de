/** @file The dashboard's messages, and how it writes shares, changes and times. */

import {I18n} from '../lib/i18n.js';
import en from './messages/en.js';
import es from './messages/es.js';
import fr from './messages/fr.js';

const SUPERSCRIPT = {'-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹'};
const MISSING = '–';
/** What a sum of floats may lack of 1. */
const WHOLE = 1 - 1e-9;

/** Speaks the dashboard's languages. */
export class DashboardI18n extends I18n {
  /** @param {string} [chosen] language @param {readonly string[]} [preferred] as of {@link I18n#choose} */
  constructor(...choice) {
    super({en, es, fr}, ...choice);
  }

  /**
   * Return a share in per cent; one that is not whole is never rounded to 100 %.
   * @param {number} x
   * @returns {string}
   */
  percent(x) {
    const digits = x < WHOLE && x >= 0.9995 ? 2 : 1;
    return this.number(x < WHOLE ? Math.min(x, 0.9999) : 1, digits, {style: 'percent'});
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
    if (x === null || x === undefined) return MISSING;
    if (x === 0 || x >= 1e-3) return this.number(x, 3);
    const [digits, power] = x.toExponential(1).split('e');
    return `${this.number(Number(digits), 1)} × ${powerOfTen(Number(power))}`;
  }

  /** Return a signed difference of probabilities. @param {?number} x @returns {string} */
  signed(x) {
    return x === null || x === undefined ? MISSING : this.number(x, 4, {signDisplay: 'exceptZero'});
  }

  /** Return the time of a day. @param {Date} time @returns {string} */
  clock(time) {
    return this.date(time, {timeStyle: 'medium'});
  }

  /** Return a day of UTC. @param {string|number} day @param {boolean} [short] without the year. @returns {string} */
  day(day, short = false) {
    return this.date(day, {day: 'numeric', month: 'short', ...(short ? {} : {year: 'numeric'}), timeZone: 'UTC'});
  }

  /** Return an amount of memory. @param {number} bytes @returns {string} */
  bytes(bytes) {
    return `${this.number(bytes / 2 ** 20, bytes < 2 ** 24 ? 1 : 0)} MiB`;
  }

  /** Return a duration. @param {?number} seconds @returns {string} */
  milliseconds(seconds) {
    return seconds === null ? MISSING : `${this.number(seconds * 1000, seconds < 0.01 ? 1 : 0)} ms`;
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
