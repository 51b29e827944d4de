/** @file The drift alarm: how the latest comparisons of each file stand against the policy. */

import {h} from '../lib/dom.js';
import {table} from '../lib/table.js';

/**
 * Return the view.
 * @param {Object} drift of `GET /v1/comparisons/drift`.
 * @param {import('../data/names.js').Names} names
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement[]}
 */
export function driftView(drift, names, say) {
  if (drift.files.length === 0) {
    return [h('p', {class: 'quiet'}, say.t('drift.none'))];
  }
  const words = say.t('drift.words', drift);
  return [
    h('p', {class: 'quiet'}, words),
    table(
      say.t('drift.heading'),
      [
        {title: say.t('drift.file'), cell: (file) => names.artifact(file.artifact_sha256), kind: 'name'},
        {
          title: say.t('drift.agree'),
          cell: ({agreement}) => [say.share(agreement), h('small', {}, say.interval(agreement))],
          kind: 'number',
        },
        {
          title: say.t('drift.state'),
          cell: (file) => [state(file, drift.least, say), h('small', {}, asked(file, say))],
        },
      ],
      drift.files,
    ),
  ];
}

/**
 * Return a warning for the top of the page; null where all is well.
 * @param {Object} drift
 * @param {import('../data/names.js').Names} names
 * @param {import('../lib/say.js').Say} say
 * @returns {?HTMLElement}
 */
export function driftBanner(drift, names, say) {
  const alarmed = drift.files.filter(({alarm}) => alarm);
  const lines = alarmed.map((file) =>
    h(
      'p',
      {},
      h('strong', {}, say.t('drift.banner', {artifact: names.artifact(file.artifact_sha256)})),
      ' ',
      h('span', {lang: 'en'}, file.alarm),
    ),
  );
  return lines.length > 0 ? h('div', {class: 'problem', role: 'status'}, lines) : null;
}

function asked(file, say) {
  return say.t('drift.asked', {share: say.percent(file.asked)});
}

function state({alarm, agreement}, least, say) {
  if (alarm) {
    return h('span', {class: 'badge bad', title: alarm}, say.t('drift.alarm'));
  }
  return agreement.of < least
    ? h('span', {class: 'quiet'}, say.t('drift.few'))
    : h('span', {class: 'badge good'}, say.t('drift.fine'));
}
