import {I18n} from '../lib/i18n.js';
import en from './messages/en.js';
import es from './messages/es.js';
import fr from './messages/fr.js';

/** The app's messages, in the language that the user set; and how it writes numbers. */
export class AppI18n extends I18n {
  /** @param {import('./settings.js').Settings} settings */
  constructor(settings) {
    super({en, es, fr}, settings.values.language);
    settings.addEventListener('change', () => this.choose(settings.values.language));
  }

  /** @param {{id: string, name: string}} label @returns {string} its name in this language, or as the model has it */
  label({id, name}) {
    return this.tOr(`label.${id}`, name);
  }

  /** @param {number} share 0 to 1 @returns {string} "12.3%" */
  percent(share) {
    return this.number(share, 1, {style: 'percent', minimumFractionDigits: 1});
  }

  /** @param {number} milliseconds @returns {string} "12 ms" or "1.2 s" */
  duration(milliseconds) {
    return milliseconds < 1000
      ? this.number(milliseconds, 0, {style: 'unit', unit: 'millisecond'})
      : this.number(milliseconds / 1000, 1, {style: 'unit', unit: 'second'});
  }

  /** @param {number} value @returns {string} "+1.2" */
  signed(value) {
    return this.number(value, 1, {signDisplay: 'always', minimumFractionDigits: 1});
  }
}
