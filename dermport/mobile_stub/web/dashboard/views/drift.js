/** @file The drift alarm: how the latest comparisons of each file stand against the policy. */

import {h} from '../../lib/dom.js';
import {table} from './table.js';

/**
 * Return the view.
 * @param {Object} drift of `GET /v1/comparisons/drift`.
 * @param {import('../data/names.js').Names} names
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement[]}
 */
export function driftView(drift, names, i18n) {
  if (drift.files.length === 0) return [h('p', {class: 'quiet'}, i18n.t('drift.none'))];
  const words = i18n.t('drift.words', drift);
  return [
    h('p', {class: 'quiet'}, words),
    table(i18n.t('drift.heading'), [
      {title: i18n.t('drift.file'), cell: (file) => names.artifact(file.artifact_sha256), kind: 'name'},
      {
        title: i18n.t('drift.agree'),
        cell: ({agreement}) => [i18n.share(agreement), h('small', {}, i18n.interval(agreement))],
        kind: 'number',
      },
      {
        title: i18n.t('drift.state'),
        cell: (file) => [state(file, drift.least, i18n), h('small', {}, asked(file, i18n))],
      },
    ], drift.files),
  ];
}

/**
 * Return a warning for the top of the page; null where all is well.
 * @param {Object} drift
 * @param {import('../data/names.js').Names} names
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {?HTMLElement}
 */
export function driftBanner(drift, names, i18n) {
  const alarmed = drift.files.filter(({alarm}) => alarm);
  const lines = alarmed.map((file) =>
    h('p', {},
      h('strong', {}, i18n.t('drift.banner', {artifact: names.artifact(file.artifact_sha256)})),
      ' ',
      h('span', {lang: 'en'}, file.alarm)),
  );
  return lines.length > 0 ? h('div', {class: 'problem', role: 'status'}, lines) : null;
}

function asked(file, i18n) {
  return i18n.t('drift.asked', {share: i18n.percent(file.asked)});
}

function state({alarm, agreement}, least, i18n) {
  if (alarm) return h('span', {class: 'badge bad', title: alarm}, i18n.t('drift.alarm'));
  return agreement.of < least
    ? h('span', {class: 'quiet'}, i18n.t('drift.few'))
    : h('span', {class: 'badge good'}, i18n.t('drift.fine'));
}
