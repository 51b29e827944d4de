/** @file Which comparisons are looked at: what the form says, in the words of the API. */

import {DAY} from '../plots/scales.js';

const PLAIN = ['model', 'artifact_sha256', 'device', 'cause', 'agrees'];
const START = {days: '30', from: '', to: '', model: '', artifact_sha256: '', device: '', cause: '', agrees: ''};
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** What is asked for; frozen, so that every change is a new one. */
export class Filters {
  /** @param {Object<string, string>} [values] `days` is a number, `all` or `dates`; empty is no limit. */
  constructor(values = {}) {
    Object.assign(this, START, values);
    Object.freeze(this);
  }

  /** Return the filters that an address has after its #. @param {string} hash @returns {Filters} */
  static read(hash) {
    const said = new URLSearchParams(hash.replace(/^#/, ''));
    return new Filters(Object.fromEntries([...said].filter(([name]) => Object.hasOwn(START, name))));
  }

  /** Return them for an address. @returns {string} */
  write() {
    return new URLSearchParams(Object.entries(this).filter(([name, value]) => value !== START[name])).toString();
  }

  /** Return others, changed. @param {Object<string, string>} changes @returns {Filters} */
  with(changes) {
    return new Filters({...this, ...changes});
  }

  /** Whether anything but the time is limited. @returns {boolean} */
  get narrowed() {
    return PLAIN.some((name) => this[name] !== '');
  }

  /**
   * Return the first and the last day, in ms at midnight UTC; null where there is no limit.
   * @param {number} now ms.
   * @returns {[?number, ?number]}
   */
  span(now) {
    if (this.days === 'dates') return [this.from, this.to].map(midnight);
    const today = now - (now % DAY);
    return Number(this.days) > 0 ? [today - (Number(this.days) - 1) * DAY, today] : [null, null];
  }

  /**
   * Return them as the API's query.
   * @param {number} now ms.
   * @param {Object<string, string>} [others] further parameters.
   * @returns {URLSearchParams}
   */
  query(now, others = {}) {
    const [first, last] = this.span(now);
    const said = PLAIN.map((name) => [name, this[name]]).filter(([, value]) => value !== '');
    const query = new URLSearchParams([...said, ...Object.entries(others)]);
    if (first !== null) query.set('since', new Date(first).toISOString());
    if (last !== null && this.days === 'dates') query.set('until', new Date(last + DAY).toISOString());
    return query;
  }
}

function midnight(day) {
  const time = DATE.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isNaN(time) ? null : time;
}
