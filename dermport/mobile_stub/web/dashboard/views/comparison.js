/** @file One comparison: both answers, the cause with its steps, and what was looked at to find it. */

import {h} from '../lib/dom.js';
import {table} from '../lib/table.js';
import {servedFile, short} from '../data/names.js';
import {filledBar} from '../plots/span.js';
import {answers} from './answers.js';
import {badge, nameOf} from './causes.js';

/** What a difference is made of, in the API's words. */
const PARTS = ['change', 'preprocessing', 'artifact', 'runtime', 'unresolved'];

/**
 * Return a comparison that opens.
 * @param {Object} comparison of the API.
 * @param {import('../data/names.js').Names} names
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement}
 */
export function comparisonView(comparison, names, say) {
  const details = h('details', {class: 'comparison', 'data-id': comparison.id}, heading(comparison, names, say));
  // What nobody opens is not made.
  const fill = () => details.childElementCount > 1 || details.append(body(comparison, names, say));
  details.addEventListener('toggle', () => details.open && fill());
  return details;
}

function heading({verdict, phone, server, created}, names, say) {
  const labels = [...new Set([phone.label, server.label])].map((label) => names.label(label)).join(' → ');
  const device = phone.said.device?.model ?? phone.said.device?.id ?? say.t('latest.unnamed');
  return h(
    'summary',
    {},
    h('span', {class: 'labels'}, labels),
    badge(verdict.cause, say),
    h('span', {class: 'delta'}, `|Δp| ${say.change(verdict.change)}`),
    h('span', {class: 'quiet'}, `${say.time(created)} · ${device}`),
  );
}

function body(comparison, names, say) {
  return h(
    'div',
    {class: 'inside'},
    h('div', {class: 'pair'}, answers(comparison, names, say)),
    h('div', {class: 'why'}, why(comparison, say)),
    h(
      'div',
      {class: 'more'},
      experiments(comparison, say),
      comparison.decomposition && parts(comparison.decomposition, names, say),
      facts(comparison, say),
    ),
  );
}

function why({verdict, steps, missing, faults = []}, say) {
  const known = say.knows(`cause.${verdict.cause}.words`);
  return [
    h('h3', {}, say.t('latest.why', {cause: nameOf(verdict.cause, say)})),
    h('p', {}, known ? say.t(`cause.${verdict.cause}.words`) : verdict.words),
    faults.map((fault) => faultView(fault, say)),
    steps.length > 0 && h('p', {class: 'quiet'}, say.t('latest.steps')),
    steps.length > 0 &&
      h(
        'ol',
        {class: 'steps'},
        steps.map((step) => stepView(step, say)),
      ),
    missing.length > 0 && h('h4', {}, say.t('latest.missing')),
    missing.length > 0 &&
      h(
        'ul',
        {lang: 'en'},
        missing.map((what) => h('li', {}, what)),
      ),
  ];
}

/** What exactly was done otherwise, where a test of the server's has named it. */
function faultView({words, remedy, exact}, say) {
  return h(
    'div',
    {class: 'reason'},
    h('strong', {lang: 'en'}, words),
    ' ',
    h('span', {class: 'quiet'}, say.t(exact ? 'latest.fault.exact' : 'latest.fault.near')),
    remedy && h('p', {lang: 'en'}, remedy),
  );
}

function stepView({cause, change, share, also, within_policy: within}, say) {
  const words = [
    say.t('latest.step', {change: say.change(change), share: say.percent(share)}),
    also.length > 0 && say.t('latest.also', {causes: also.map((other) => nameOf(other, say)).join(', ')}),
    within !== null && say.t(within ? 'latest.within' : 'latest.beyond'),
  ].filter(Boolean);
  return h(
    'li',
    {class: `cause-${cause}`},
    h('span', {class: 'name'}, nameOf(cause, say)),
    filledBar(share, 'of-cause'),
    h('small', {}, words.join('; ')),
  );
}

function experiments({evidence}, say) {
  if (evidence.length === 0) {
    return null;
  }
  const rows = table(
    say.t('latest.evidence'),
    [
      {
        title: say.t('latest.experiment'),
        cell: ({name, artifact, runtime}) => [experimentName(name, say), h('small', {}, `${artifact} · ${runtime}`)],
      },
      {title: say.t('latest.from-phone'), cell: (one) => say.change(one.change_from_phone), kind: 'number'},
      {title: say.t('latest.from-server'), cell: (one) => say.change(one.change_from_server), kind: 'number'},
    ],
    evidence,
  );
  return h('details', {}, h('summary', {}, say.t('latest.evidence')), rows);
}

function experimentName(name, say) {
  return say.knows(`latest.${name}`) ? say.t(`latest.${name}`) : name;
}

function parts({score, by_label: byLabel}, names, say) {
  const rows = [
    [say.t('latest.parts.score'), score],
    ...Object.entries(byLabel).map(([label, part]) => [names.label(label), part]),
  ];
  const column = (key) => ({
    title: say.t(`latest.parts.${key}`),
    cell: ([, part]) => say.signed(part[key]),
    kind: 'number',
  });
  const columns = [{title: say.t('latest.class'), cell: ([name]) => name}, ...PARTS.map(column)];
  return h('details', {}, h('summary', {}, say.t('latest.parts')), table(say.t('latest.parts'), columns, rows));
}

function facts(comparison, say) {
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
    : say.t('latest.unnamed');
  const rows = [
    [say.t('latest.device'), device],
    [say.t('latest.app'), said.app_version],
    [say.t('latest.phone'), `${known ? servedFile(known) : short(said.artifact_sha256)} · ${said.runtime}`],
    [say.t('latest.server'), `${servedFile(server.model)} · ${server.runtime.name}`],
    [say.t('latest.input'), say.t(verdict.same_input ? 'latest.input.same' : 'latest.input.other', hashes)],
    [say.t('latest.photo'), say.t(`latest.photo.${form}`, photo)],
    [say.t('latest.id'), h('code', {}, comparison.id)],
  ];
  const list = h(
    'dl',
    {class: 'facts'},
    rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );
  return h('details', {}, h('summary', {}, say.t('latest.facts')), list);
}
