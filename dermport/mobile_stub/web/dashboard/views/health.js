/** @file The server's health: readiness, load, memory, sensors, and where the time goes. */

import {h} from '../lib/dom.js';
import {quantile} from '../lib/prometheus.js';
import {table} from '../lib/table.js';
import {card} from './totals.js';

const STAGES = ['receive', 'prepare', 'wait', 'infer', 'total'];

/**
 * Return the view.
 * @param {Object} ready of `GET /readyz`.
 * @param {?Map<string, import('../lib/prometheus.js').Sample[]>} metrics null where the key does not open them.
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement[]}
 */
export function healthView(ready, metrics, say) {
  const golden = say.t('health.golden', {n: ready.photos, change: say.change(ready.worst_change)});
  const first = [
    card(say.t('health.ready'), say.t('yes'), golden),
    card(say.t('health.runtime'), ready.runtime.name, ready.runtime.reason),
  ];
  return metricsView(first, metrics, say);
}

/**
 * Return what the metrics say, also where the server is not ready.
 * @param {HTMLElement[]} first cards that come before.
 * @param {?Map<string, import('../lib/prometheus.js').Sample[]>} metrics
 * @param {import('../lib/say.js').Say} say
 * @returns {HTMLElement[]}
 */
export function metricsView(first, metrics, say) {
  if (!metrics) {
    return [h('dl', {class: 'cards'}, first)];
  }
  const cards = [...first, ...load(metrics, say), memory(metrics, say), sensors(metrics, say), requests(metrics, say)];
  return [h('dl', {class: 'cards'}, cards), h('h3', {}, say.t('health.stages')), stages(metrics, say)];
}

function load(metrics, say) {
  const [busy, slots, waiting, restarts] = ['slots_busy', 'slots', 'queue_waiting', 'worker_restarts_total'].map(
    (name) => one(metrics, name),
  );
  return [
    card(say.t('health.slots'), say.t('health.slots.value', {busy, slots}), say.t('health.waiting', {n: waiting})),
    card(say.t('health.restarts'), say.count(restarts)),
  ];
}

function memory(metrics, say) {
  const parts = all(metrics, 'resident_memory_bytes');
  const words = parts.map(({labels, value}) =>
    say.t('health.memory.parts', {part: labels.part, bytes: say.bytes(value)}),
  );
  return card(say.t('health.memory'), say.bytes(sumOf(parts)), words.join(', '));
}

function sensors(metrics, say) {
  const kinds = [
    ['power', 'power_watts', 'rail', 'W'],
    ['energy', 'energy_joules_total', 'domain', 'J'],
    ['temperature', 'temperature_celsius', 'zone', '°C'],
  ];
  const found = kinds.map(([name, metric, label, unit]) => [
    name,
    all(metrics, metric).map(({labels, value}) => [labels[label], `${say.number(value, 1)} ${unit}`]),
  ]);
  const [first, ...others] = found.filter(([, readings]) => readings.length > 0);
  if (!first) {
    return card(say.t('health.power'), '–', say.t('health.no-sensor'));
  }
  const line = (readings) => readings.map(([name, value]) => `${name} ${value}`).join(', ');
  const [name, readings] = first;
  const words = others.map(([other, some]) => `${say.t(`health.${other}`)}: ${line(some)}`);
  return card(say.t(`health.${name}`), readings[0][1], line(readings), ...words);
}

function requests(metrics, say) {
  const counted = all(metrics, 'requests_total');
  const failed = sumOf(counted.filter(({labels}) => labels.status.startsWith('5')));
  const refused = all(metrics, 'problems_total')
    .map(({labels, value}) => `${labels.code} ${say.count(value)}`)
    .join(', ');
  return card(
    say.t('health.requests'),
    say.count(sumOf(counted)),
    say.t('health.requests.failed', {n: failed}),
    refused && say.t('health.refused', {refused}),
  );
}

function stages(metrics, say) {
  const buckets = all(metrics, 'stage_seconds_bucket');
  if (buckets.length === 0) {
    return h('p', {class: 'quiet'}, say.t('health.no-photos'));
  }
  const of = (stage, samples) => samples.filter(({labels}) => labels.stage === stage);
  const mean = (stage) =>
    sumOf(of(stage, all(metrics, 'stage_seconds_sum'))) / sumOf(of(stage, all(metrics, 'stage_seconds_count')));
  const column = (key, figure) => ({
    title: say.t(`health.${key}`),
    cell: (stage) => say.milliseconds(figure(stage)),
    kind: 'number',
  });
  return table(
    say.t('health.stages'),
    [
      {title: say.t('health.stage'), cell: (stage) => say.t(`health.stage.${stage}`)},
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
