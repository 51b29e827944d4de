/** @file The server's health: readiness, load, memory, sensors, and where the time goes. */

import {h} from '../../lib/dom.js';
import {quantile} from '../data/prometheus.js';
import {table} from './table.js';
import {card} from './totals.js';

const STAGES = ['receive', 'prepare', 'wait', 'infer', 'total'];

/**
 * Return the view.
 * @param {Object} ready of `GET /readyz`.
 * @param {?Map<string, import('../data/prometheus.js').Sample[]>} metrics null where the key does not open them.
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement[]}
 */
export function healthView(ready, metrics, i18n) {
  const golden = i18n.t('health.golden', {n: ready.photos, change: i18n.change(ready.worst_change)});
  const first = [
    card(i18n.t('health.ready'), i18n.t('yes'), golden),
    card(i18n.t('health.runtime'), ready.runtime.name, ready.runtime.reason),
  ];
  return metricsView(first, metrics, i18n);
}

/**
 * Return what the metrics say, also where the server is not ready.
 * @param {HTMLElement[]} first cards that come before.
 * @param {?Map<string, import('../data/prometheus.js').Sample[]>} metrics
 * @param {import('../i18n.js').DashboardI18n} i18n
 * @returns {HTMLElement[]}
 */
export function metricsView(first, metrics, i18n) {
  if (!metrics) return [h('dl', {class: 'cards'}, first)];
  const cards = [...first, ...[load, memory, sensors, requests].flatMap((cardsOf) => cardsOf(metrics, i18n))];
  return [h('dl', {class: 'cards'}, cards), h('h3', {}, i18n.t('health.stages')), stages(metrics, i18n)];
}

function load(metrics, i18n) {
  const [busy, slots, waiting, restarts] = ['slots_busy', 'slots', 'queue_waiting', 'worker_restarts_total'].map(
    (name) => one(metrics, name),
  );
  return [
    card(i18n.t('health.slots'), i18n.t('health.slots.value', {busy, slots}), i18n.t('health.waiting', {n: waiting})),
    card(i18n.t('health.restarts'), i18n.count(restarts)),
  ];
}

function memory(metrics, i18n) {
  const parts = all(metrics, 'resident_memory_bytes');
  const words = parts.map(({labels, value}) =>
    i18n.t('health.memory.parts', {part: labels.part, bytes: i18n.bytes(value)}),
  );
  return card(i18n.t('health.memory'), i18n.bytes(sumOf(parts)), words.join(', '));
}

function sensors(metrics, i18n) {
  const kinds = [
    ['power', 'power_watts', 'rail', 'W'],
    ['energy', 'energy_joules_total', 'domain', 'J'],
    ['temperature', 'temperature_celsius', 'zone', '°C'],
  ];
  const found = kinds.map(([name, metric, label, unit]) => [
    name,
    all(metrics, metric).map(({labels, value}) => [labels[label], `${i18n.number(value, 1)} ${unit}`]),
  ]);
  const [first, ...others] = found.filter(([, readings]) => readings.length > 0);
  if (!first) return card(i18n.t('health.power'), '–', i18n.t('health.no-sensor'));
  const line = (readings) => readings.map(([name, value]) => `${name} ${value}`).join(', ');
  const [name, readings] = first;
  const words = others.map(([other, some]) => `${i18n.t(`health.${other}`)}: ${line(some)}`);
  return card(i18n.t(`health.${name}`), readings[0][1], line(readings), ...words);
}

function requests(metrics, i18n) {
  const counted = all(metrics, 'requests_total');
  const failed = sumOf(counted.filter(({labels}) => labels.status.startsWith('5')));
  const refused = all(metrics, 'problems_total')
    .map(({labels, value}) => `${labels.code} ${i18n.count(value)}`)
    .join(', ');
  return card(
    i18n.t('health.requests'),
    i18n.count(sumOf(counted)),
    i18n.t('health.requests.failed', {n: failed}),
    refused && i18n.t('health.refused', {refused}),
  );
}

function stages(metrics, i18n) {
  const buckets = all(metrics, 'stage_seconds_bucket');
  if (buckets.length === 0) return h('p', {class: 'quiet'}, i18n.t('health.no-photos'));
  const of = (stage, samples) => samples.filter(({labels}) => labels.stage === stage);
  const mean = (stage) =>
    sumOf(of(stage, all(metrics, 'stage_seconds_sum'))) / sumOf(of(stage, all(metrics, 'stage_seconds_count')));
  const column = (key, figure) => ({
    title: i18n.t(`health.${key}`),
    cell: (stage) => i18n.milliseconds(figure(stage)),
    kind: 'number',
  });
  return table(
    i18n.t('health.stages'),
    [
      {title: i18n.t('health.stage'), cell: (stage) => i18n.t(`health.stage.${stage}`)},
      column('median', (stage) => quantile(of(stage, buckets), 0.5)),
      column('p95', (stage) => quantile(of(stage, buckets), 0.95)),
      column('mean', mean),
    ],
    STAGES.filter((stage) => of(stage, buckets).length > 0),
  );
}

function all(metrics, name) {
  return metrics.get(`dermport_${name}`) ?? [];
}

function one(metrics, name) {
  return all(metrics, name)[0]?.value ?? 0;
}

function sumOf(samples) {
  return samples.reduce((total, {value}) => total + value, 0);
}
