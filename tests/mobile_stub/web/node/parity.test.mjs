import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {DIST, engine} from './dist.mjs';

const {compare, judge} = await engine('parity.js');
const policy = JSON.parse(readFileSync(`${DIST}/engine/policy.json`));
const ORIGINAL = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.1, 0.3]];

test('figures are those of dermport/bundle/parity.py', () => {
  const answers = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.6, 0.1, 0.3]];
  const figures = compare(ORIGINAL, answers);
  assert.equal(figures.photos, 4);
  assert.ok(Math.abs(figures.maxChange - 0.2) < 1e-12);
  assert.ok(Math.abs(figures.meanChange - 0.4 / 12) < 1e-12);
  assert.equal(figures.top1Agreement, 0.75);
  assert.ok(Math.abs(figures.agreementHigh - 0.954413) < 1e-6); // bundle.wilson's, of 3 in 4
});

test('equal answers pass in every class', () => {
  for (const kind of ['fp32', 'fp16', 'int8', 'weights8', 'weights4']) {
    assert.deepEqual(judge(policy, kind, compare(ORIGINAL, ORIGINAL)), {status: 'pass', reasons: []});
  }
});

test('a change that int8 may have fails in fp32, and says by how much', () => {
  const answers = ORIGINAL.map(([first, second, third]) => [first - 0.01, second + 0.01, third]);
  assert.equal(judge(policy, 'int8', compare(ORIGINAL, answers)).status, 'pass');
  const {status, reasons} = judge(policy, 'fp32', compare(ORIGINAL, answers));
  assert.equal(status, 'fail');
  assert.match(reasons[0], /changes by 0\.010 \(at most 0\.0001\)/);
});

test('one flipped label of few warns, all flipped fail', () => {
  const near = [[0.5, 0.5, 0], [0.1, 0.8, 0.1]];
  const flipped = [[0.49, 0.51, 0], [0.1, 0.8, 0.1]];
  assert.equal(judge(policy, 'int8', compare(near, flipped)).status, 'warn');
  const many = Array.from({length: 20}, () => [0.55, 0.45]);
  assert.equal(judge(policy, 'int8', compare(many, many.map((row) => row.toReversed()))).status, 'fail');
});

test('numbers that are none, and classes without bounds, fail', () => {
  const answers = ORIGINAL.map(() => [NaN, NaN, NaN]);
  assert.equal(compare(ORIGINAL, answers).maxChange, 1);
  assert.equal(judge(policy, 'int8', compare(ORIGINAL, answers)).status, 'fail');
  assert.equal(judge(policy, 'int2', compare(ORIGINAL, ORIGINAL)).status, 'fail');
});
