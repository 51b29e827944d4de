/** The dashboard's numbers: scales, ticks, words, Prometheus' text. */
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {parseMetrics, quantile} from '../../../../dermport/mobile_stub/web/dashboard/data/prometheus.js';
import {DashboardI18n, powerOfTen} from '../../../../dermport/mobile_stub/web/dashboard/i18n.js';
import {
  DAY,
  countTicks,
  dayTicks,
  linear,
  logarithmic,
  shareFloor,
  ticks,
} from '../../../../dermport/mobile_stub/web/dashboard/plots/scales.js';

test('scales lead from data to pixels', () => {
  const y = linear([0.5, 1], [200, 0]);
  assert.deepEqual([0.5, 0.75, 1].map(y), [200, 100, 0]);
  assert.equal(linear([3, 3], [0, 10])(3), 5);
  const x = logarithmic([1e-6, 1], [0, 600]);
  assert.deepEqual(
    [1e-6, 1e-3, 1].map((p) => Math.round(x(p))),
    [0, 300, 600],
  );
  assert.equal(x(0), 0, 'what is below the axis is at its end');
});

test('ticks are round and within the ends', () => {
  assert.deepEqual(ticks(0.4, 1, 5), [0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.9, 1, 5), [0.9, 0.92, 0.94, 0.96, 0.98, 1]);
  assert.deepEqual(countTicks(7, 4), [0, 2, 4, 6, 8]);
  assert.deepEqual(countTicks(1, 4), [0, 1]);
  assert.deepEqual([0.43, 0.9, 0.97, 0].map(shareFloor), [0.4, 0.9, 0.9, 0]);
});

test('ticks of days end at the last day and are not too many', () => {
  const to = Date.parse('2026-11-21T00:00:00Z');
  for (const days of [1, 6, 29, 89, 365, 2000]) {
    for (const count of [2, 4, 9]) {
      const made = dayTicks(to - days * DAY, to, count);
      assert.equal(made.at(-1), to);
      assert.ok(made.length <= count, `${made.length} of ${count} on ${days} days`);
      assert.ok(made[0] >= to - days * DAY);
    }
  }
});

const i18n = new DashboardI18n('en', ['en-GB']);

test('a share is never rounded to all of it', () => {
  assert.deepEqual(
    [0, 0.5, 0.9876, 0.99999, 1 - 1e-12, 1].map((x) => i18n.percent(x)),
    ['0%', '50%', '98.8%', '99.99%', '100%', '100%'],
  );
  assert.equal(i18n.share({count: 0, of: 0}), '–');
  assert.equal(i18n.interval({low: 0.25, high: 1}), '25% to 100%');
});

test('small changes are powers of ten', () => {
  assert.deepEqual(
    [0, 0.1234, 0.001, 3.2e-6, null].map((x) => i18n.change(x)),
    ['0', '0.123', '0.001', '3.2 × 10⁻⁶', '–'],
  );
  assert.deepEqual([0, -6, 12].map(powerOfTen), ['1', '10⁻⁶', '10¹²']);
  assert.deepEqual(
    [0.25, -0.25, 0, null].map((x) => i18n.signed(x)),
    ['+0.25', '-0.25', '0', '–'],
  );
});

const METRICS = `# HELP dermport_slots Photos.
# TYPE dermport_slots gauge
dermport_slots 4.0
dermport_power_watts{rail="VDD_IN"} 5.7
dermport_power_watts{rail="a \\"b\\" \\\\ c"} 1e-3
dermport_stage_seconds_bucket{le="0.01",stage="total"} 0.0
dermport_stage_seconds_bucket{le="0.02",stage="total"} 8.0
dermport_stage_seconds_bucket{le="0.04",stage="total"} 9.0
dermport_stage_seconds_bucket{le="+Inf",stage="total"} 10.0
`;

test('metrics are read with their labels', () => {
  const found = parseMetrics(METRICS);
  assert.deepEqual(found.get('dermport_slots'), [{labels: {}, value: 4}]);
  assert.deepEqual(found.get('dermport_power_watts')[1], {labels: {rail: 'a "b" \\ c'}, value: 0.001});
  assert.equal(found.get('dermport_stage_seconds_bucket').length, 4);
  assert.equal(parseMetrics('').size, 0);
});

test('quantiles are those of histogram_quantile', () => {
  const buckets = parseMetrics(METRICS).get('dermport_stage_seconds_bucket');
  assert.equal(quantile(buckets, 0.4), 0.015);
  assert.equal(quantile(buckets, 0.85), 0.03);
  assert.equal(quantile(buckets, 0.99), 0.04, 'the open bucket has no end');
  assert.equal(quantile([], 0.5), null);
});
