/** @file The form that says which comparisons are looked at. */

import {fill, h} from '../../lib/dom.js';
import {nameOf} from './causes.js';

const DAYS = ['1', '7', '30', '90', 'all', 'dates'];
const CAUSES = ['same', 'photo-changed', 'preprocessing', 'model', 'artifact', 'runtime', 'unexplained'];

/** Keeps the form in step with the filters. */
export class FilterBar {
  #place;
  #i18n;
  #change;
  #reset;

  /**
   * @param {HTMLElement} place
   * @param {import('../i18n.js').DashboardI18n} i18n
   * @param {function(Object<string, string>)} change is called with the filters that were changed.
   * @param {function()} reset is called to have no filters.
   */
  constructor(place, i18n, change, reset) {
    this.#place = place;
    this.#i18n = i18n;
    this.#change = change;
    this.#reset = reset;
  }

  /**
   * Show filters, and what there is to choose from.
   * @param {import('../data/filters.js').Filters} filters
   * @param {{models: Object[], artifacts: string[], devices: string[]}} known
   * @param {import('../data/names.js').Names} names
   */
  show(filters, known, names) {
    const focused = document.activeElement?.name;
    fill(this.#place, this.#fields(filters, known, names));
    if (focused) this.#place.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  #fields(filters, {models, artifacts, devices}, names) {
    const i18n = this.#i18n;
    const versions = models.map(({name, version}) => [`${name}/${version}`, `${name} ${version}`]);
    const files = artifacts.map((sha256) => [sha256, names.artifact(sha256)]);
    return [
      this.#select('days', filters.days, DAYS.map((days) => [days, i18n.t(`filter.days.${days}`)])),
      ...(filters.days === 'dates' ? [this.#date('from', filters.from), this.#date('to', filters.to)] : []),
      this.#select('model', filters.model, this.#any(versions, filters.model)),
      this.#select('artifact_sha256', filters.artifact_sha256, this.#any(files, filters.artifact_sha256), 'artifact'),
      this.#select(
        'device',
        filters.device,
        this.#any(
          devices.map((id) => [id, id]),
          filters.device,
        ),
      ),
      this.#select('cause', filters.cause, this.#any(CAUSES.map((cause) => [cause, nameOf(cause, i18n)]))),
      this.#select(
        'agrees',
        filters.agrees,
        this.#any(['true', 'false'].map((value) => [value, i18n.t(`filter.agrees.${value}`)])),
      ),
      filters.narrowed && h('button', {type: 'button', class: 'reset', onclick: this.#reset}, i18n.t('filter.reset')),
    ];
  }

  /** What is chosen stays to be seen, also where no comparison has it any more. */
  #any(options, chosen = '') {
    const known = chosen === '' || options.some(([value]) => value === chosen);
    return [['', this.#i18n.t('filter.any')], ...options, ...(known ? [] : [[chosen, chosen]])];
  }

  #select(name, chosen, options, key = name) {
    const change = ({target}) => this.#change({[name]: target.value});
    return h('label', {},
      h('span', {}, this.#i18n.t(`filter.${key}`)),
      h('select', {name, onchange: change},
        options.map(([value, text]) => h('option', {value, selected: value === chosen}, text))));
  }

  #date(name, value) {
    const change = ({target}) => this.#change({[name]: target.value});
    return h('label', {},
      h('span', {}, this.#i18n.t(`filter.${name}`)),
      h('input', {type: 'date', name, value, onchange: change}));
  }
}
