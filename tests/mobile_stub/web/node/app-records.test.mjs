import assert from 'node:assert/strict';
import {test} from 'node:test';

const {csvOf} = await import(new URL('../../../../dermport/mobile_stub/web/app/records.js', import.meta.url));

function record(changed = {}) {
  const model = {name: 'ham7', version: '1.0.0', artifactSha256: 'a'.repeat(64), target: 'tflite', precision: 'int8'};
  return {
    id: '1', created: '2026-01-01T00:00:00Z', device: 'ward-3', privacy: 'nothing',
    photo: {sha256: 'b'.repeat(64), quality: ['too-dark', 'blurred']},
    phone: {
      label: 'nv', score: 0.25, positive: false, threshold: 0.5, model, runtime: 'LiteRT.js', inputSha256: 'c',
      milliseconds: {prepare: 3, infer: 4},
    },
    jetson: {state: 'off'},
    ...changed,
  };
}

test('a record without the Jetson is a whole row', () => {
  const [header, row, end] = csvOf([record()], 'not a diagnosis').split('\r\n');
  const cells = Object.fromEntries(header.split(',').map((name, at) => [name, row.split(',')[at]]));
  assert.equal(end, '');
  assert.deepEqual([cells.phone_label, cells.phone_ms, cells.jetson, cells.jetson_label], ['nv', '7', 'off', '']);
  assert.deepEqual([cells.quality, cells.notice], ['too-dark blurred', 'not a diagnosis']);
});

test('a spreadsheet computes nothing, and quotes stay quotes', () => {
  const text = csvOf([record({device: '=HYPERLINK("http://x")'})], 'one, "two"');
  assert.ok(text.includes(`"'=HYPERLINK(""http://x"")"`));
  assert.ok(text.includes('"one, ""two"""'));
});

test('without a decision there is a label, and neither yes nor no', async () => {
  const at = new URL('../../../../dermport/mobile_stub/web/', import.meta.url);
  const {decide} = await import(new URL('engine/decision.js', at));
  const {outcome} = await import(new URL('app/views/verdict.js', at));
  const task = {labels: [{id: 'a', name: 'A'}, {id: 'b', name: 'B'}], positive: []};
  const said = decide({task, decision: null}, {a: 0.4, b: 0.6});
  assert.deepEqual(said, {label: 'b', name: 'B', score: null, threshold: null, positive: null});
  assert.equal(outcome({same_label: true, same_decision: null}), 'agree');
  assert.equal(outcome({same_label: false, same_decision: null}), 'label');
});
