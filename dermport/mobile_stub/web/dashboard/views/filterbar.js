/** @file The form that says which comparisons are looked at. */

import {h} from '../lib/dom.js';
import {nameOf} from './causes.js';

const DAYS = ['1', '7', '30', '90', 'all', 'dates'];
const CAUSES = ['same', 'photo-changed', 'preprocessing', 'model', 'artifact', 'runtime', 'unexplained'];

/** Keeps the form in step with the filters. */
export class FilterBar {
  /**
   * @param {HTMLElement} place
   * @param {import('../lib/say.js').Say} say
   * @param {function(Object<string, string>)} change is called with the filters that were changed.
   * @param {function()} reset is called to have no filters.
   */
  constructor(place, say, change, reset) {
    Object.assign(this, {_place: place, _say: say, _change: change, _reset: reset});
  }

  /**
   * Show filters, and what there is to choose from.
   * @param {import('../data/filters.js').Filters} filters
   * @param {{models: Object[], artifacts: string[], devices: string[]}} known
   * @param {import('../data/names.js').Names} names
   */
  show(filters, known, names) {
    const focused = document.activeElement?.name;
    this._place.replaceChildren(...this._fields(filters, known, names).filter(Boolean));
    if (focused) {
      this._place.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
    }
  }

  _fields(filters, {models, artifacts, devices}, names) {
    const say = this._say;
    const versions = models.map(({name, version}) => [`${name}/${version}`, `${name} ${version}`]);
    const files = artifacts.map((sha256) => [sha256, names.artifact(sha256)]);
    return [
      this._select(
        'days',
        filters.days,
        DAYS.map((days) => [days, say.t(`filter.days.${days}`)]),
      ),
      ...(filters.days === 'dates' ? [this._date('from', filters.from), this._date('to', filters.to)] : []),
      this._select('model', filters.model, this._any(versions, filters.model)),
      this._select('artifact_sha256', filters.artifact_sha256, this._any(files, filters.artifact_sha256), 'artifact'),
      this._select(
        'device',
        filters.device,
        this._any(
          devices.map((id) => [id, id]),
          filters.device,
        ),
      ),
      this._select('cause', filters.cause, this._any(CAUSES.map((cause) => [cause, nameOf(cause, say)]))),
      this._select(
        'agrees',
        filters.agrees,
        this._any(['true', 'false'].map((value) => [value, say.t(`filter.agrees.${value}`)])),
      ),
      filters.narrowed && h('button', {type: 'button', class: 'reset', onclick: this._reset}, say.t('filter.reset')),
    ];
  }

  /** What is chosen stays to be seen, also where no comparison has it any more. */
  _any(options, chosen = '') {
    const known = chosen === '' || options.some(([value]) => value === chosen);
    return [['', this._say.t('filter.any')], ...options, ...(known ? [] : [[chosen, chosen]])];
  }

  _select(name, chosen, options, key = name) {
    const change = ({target}) => this._change({[name]: target.value});
    return h(
      'label',
      {},
      h('span', {}, this._say.t(`filter.${key}`)),
      h(
        'select',
        {name, onchange: change},
        options.map(([value, text]) => h('option', {value, selected: value === chosen}, text)),
      ),
    );
  }

  _date(name, value) {
    const change = ({target}) => this._change({[name]: target.value});
    return h(
      'label',
      {},
      h('span', {}, this._say.t(`filter.${name}`)),
      h('input', {type: 'date', name, value, onchange: change}),
    );
  }
}
