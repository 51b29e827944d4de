import assert from 'node:assert/strict';
import {test} from 'node:test';
import {engine, noise} from './dist.mjs';

const {artifactOf, assemble, filesOf, isOlder} = await engine('release.js');
const {sha256Hex} = await engine('sha256.js');
const {decide} = await engine('decision.js');
const [model, golden] = [noise(500, 1), noise(300, 2)];
const listed = (path, bytes) => ({path, bytes: bytes.length, sha256: sha256Hex(bytes)});
const artifact = {target: 'tflite', precision: 'fp32', platforms: ['android', 'web'], path: 'exports/a/model.tflite'};
const MANIFEST = {
  name: 'tiny',
  version: '1.0.0',
  artifacts: [{...artifact, target: 'coreml', platforms: ['ios']}, artifact],
  files: [listed(artifact.path, model), listed('golden/tensors.npy', golden)],
  golden: {tensors: 'golden/tensors.npy', vectors: []},
};
const stored = () => new Map([model, golden].map((bytes) => [sha256Hex(bytes), bytes]));
const fails = (work, code) => assert.throws(work, (error) => error.code === code);

test('the artifact is the one that browsers run', () => {
  assert.equal(artifactOf(MANIFEST, 'fp32'), artifact);
  fails(() => artifactOf(MANIFEST, 'int8'), 'no-artifact');
});

test('a release has its files once their bytes are the listed ones', async () => {
  const release = await assemble(MANIFEST, artifact, stored());
  assert.equal(release.model, model);
  assert.equal(release.golden, golden);
  const spoilt = stored();
  spoilt.set(sha256Hex(model), Uint8Array.from(model, (byte, index) => (index === 99 ? byte ^ 1 : byte)));
  for (const files of [spoilt, new Map()]) {
    await assert.rejects(assemble(MANIFEST, artifact, files), {code: 'damaged-file'});
  }
});

test('a file that the manifest does not list is not fetched', () => {
  fails(() => filesOf({...MANIFEST, files: []}, artifact), 'unknown-form');
});

test('versions are compared by number', () => {
  assert.ok(isOlder('1.9.0', '1.10.0'));
  assert.ok(isOlder('0.9.9', '1.0.0'));
  assert.ok(!isOlder('1.0.0', '1.0.0'));
  assert.ok(!isOlder('2.0.0', '1.9.9'));
});

test('the decision is the sum of the positive labels against the threshold', () => {
  const labels = ['a', 'b', 'c'].map((id) => ({id, name: id.toUpperCase()}));
  const manifest = {task: {labels, positive: ['b', 'c']}, decision: {threshold: 0.5}};
  const decided = {label: 'a', name: 'A', score: 0.5, threshold: 0.5, positive: true};
  assert.deepEqual(decide(manifest, {a: 0.5, b: 0.25, c: 0.25}), decided);
  assert.equal(decide(manifest, {a: 0.51, b: 0.25, c: 0.24}).positive, false);
  assert.equal(decide(manifest, {a: 0.4, b: 0.4, c: 0.2}).label, 'a'); // of equal ones the first, as NumPy's argmax
});
