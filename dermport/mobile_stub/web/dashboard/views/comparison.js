/** @file One comparison: both answers, the cause with its steps, and what was looked at to find it. */

import {h} from '../../lib/dom.js';
import {servedFile, short} from '../data/names.js';
import {filledBar} from '../plots/span.js';
import {answers} from './answers.js';
import {badge, nameOf} from './causes.js';
import {table} from './table.js';

/** What a difference is made of, in the API's words. */
const PARTS = ['change', 'preprocessing', 'artifact', 'runtime', 'unresolved'];

/**
 * Return a comparison that opens.
 * @param {Object} comparison of the API.
 * @param {import('../data/names.js').Names} names
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement}
 */
export function comparisonView(comparison, names, i18n) {
  const details = h('details', {class: 'comparison', 'data-id': comparison.id}, heading(comparison, names, i18n));
  // What nobody opens is not made.
  const fill = () => details.childElementCount > 1 || details.append(body(comparison, names, i18n));
  details.addEventListener('toggle', () => details.open && fill());
  return details;
}

function heading({verdict, phone, server, created}, names, i18n) {
  const labels = [...new Set([phone.label, server.label])].map((label) => names.label(label)).join(' → ');
  const device = phone.said.device?.model ?? phone.said.device?.id ?? i18n.t('latest.unnamed');
  return h('summary', {},
    h('span', {class: 'labels'}, labels),
    badge(verdict.cause, i18n),
    h('span', {class: 'delta'}, `|Δp| ${i18n.change(verdict.change)}`),
    h('span', {class: 'quiet'}, `${i18n.time(created)} · ${device}`));
}

function body(comparison, names, i18n) {
  return h('div', {class: 'inside'},
    h('div', {class: 'pair'}, answers(comparison, names, i18n)),
    h('div', {class: 'why'}, why(comparison, i18n)),
    h('div', {class: 'more'},
      experiments(comparison, i18n),
      comparison.decomposition && parts(comparison.decomposition, names, i18n),
      facts(comparison, i18n)));
}

function why({verdict, steps, missing, faults = []}, i18n) {
  return [
    h('h3', {}, i18n.t('latest.why', {cause: nameOf(verdict.cause, i18n)})),
    h('p', {}, i18n.tOr(`cause.${verdict.cause}.words`, verdict.words)),
    faults.map((fault) => faultView(fault, i18n)),
    steps.length > 0 && h('p', {class: 'quiet'}, i18n.t('latest.steps')),
    steps.length > 0 && h('ol', {class: 'steps'}, steps.map((step) => stepView(step, i18n))),
    missing.length > 0 && h('h4', {}, i18n.t('latest.missing')),
    missing.length > 0 && h('ul', {lang: 'en'}, missing.map((what) => h('li', {}, what))),
  ];
}

/** What exactly was done otherwise, where a test of the server's has named it. */
function faultView({words, remedy, exact}, i18n) {
  return h('div', {class: 'reason'},
    h('strong', {lang: 'en'}, words),
    ' ',
    h('span', {class: 'quiet'}, i18n.t(exact ? 'latest.fault.exact' : 'latest.fault.near')),
    remedy && h('p', {lang: 'en'}, remedy));
}

function stepView({cause, change, share, also, within_policy: within}, i18n) {
  const words = [
    i18n.t('latest.step', {change: i18n.change(change), share: i18n.percent(share)}),
    also.length > 0 && i18n.t('latest.also', {causes: also.map((other) => nameOf(other, i18n)).join(', ')}),
    within !== null && i18n.t(within ? 'latest.within' : 'latest.beyond'),
  ].filter(Boolean);
  return h('li', {class: `cause-${cause}`},
    h('span', {class: 'name'}, nameOf(cause, i18n)),
    filledBar(share, 'of-cause'),
    h('small', {}, words.join('; ')));
}

function experiments({evidence}, i18n) {
  if (evidence.length === 0) return null;
  const rows = table(i18n.t('latest.evidence'), [
    {
      title: i18n.t('latest.experiment'),
      cell: ({name, artifact, runtime}) => [experimentName(name, i18n), h('small', {}, `${artifact} · ${runtime}`)],
    },
    {title: i18n.t('latest.from-phone'), cell: (one) => i18n.change(one.change_from_phone), kind: 'number'},
    {title: i18n.t('latest.from-server'), cell: (one) => i18n.change(one.change_from_server), kind: 'number'},
  ], evidence);
  return h('details', {}, h('summary', {}, i18n.t('latest.evidence')), rows);
}

function experimentName(name, i18n) {
  return i18n.tOr(`latest.${name}`, name);
}

function parts({score, by_label: byLabel}, names, i18n) {
  const rows = [
    [i18n.t('latest.parts.score'), score],
    ...Object.entries(byLabel).map(([label, part]) => [names.label(label), part]),
  ];
  const column = (key) => ({
    title: i18n.t(`latest.parts.${key}`),
    cell: ([, part]) => i18n.signed(part[key]),
    kind: 'number',
  });
  const columns = [{title: i18n.t('latest.class'), cell: ([name]) => name}, ...PARTS.map(column)];
  return h('details', {}, h('summary', {}, i18n.t('latest.parts')), table(i18n.t('latest.parts'), columns, rows));
}

function facts(comparison, i18n) {
  const {
    phone: {said, known},
    server,
    verdict,
  } = comparison;
  const photo = {width: server.photo.width, height: server.photo.height, orientation: server.photo.orientation};
  const hashes = {
    sha256: short(server.input_sha256),
    phone: short(said.input_sha256),
    server: short(server.input_sha256),
  };
  const form = server.photo.form === 'photo' ? 'photo' : 'prepared';
  const device = said.device
    ? [said.device.model, said.device.id].filter(Boolean).join(' · ')
    : i18n.t('latest.unnamed');
  const rows = [
    [i18n.t('latest.device'), device],
    [i18n.t('latest.app'), said.app_version],
    [i18n.t('latest.phone'), `${known ? servedFile(known) : short(said.artifact_sha256)} · ${said.runtime}`],
    [i18n.t('latest.server'), `${servedFile(server.model)} · ${server.runtime.name}`],
    [i18n.t('latest.input'), i18n.t(verdict.same_input ? 'latest.input.same' : 'latest.input.other', hashes)],
    [i18n.t('latest.photo'), i18n.t(`latest.photo.${form}`, photo)],
    [i18n.t('latest.id'), h('code', {}, comparison.id)],
  ];
  const list = h('dl', {class: 'facts'}, rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
  return h('details', {}, h('summary', {}, i18n.t('latest.facts')), list);
}
