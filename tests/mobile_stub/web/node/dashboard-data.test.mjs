/** What the dashboard asks the server, and in which words. */
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Api, ApiError} from '../../../../dermport/mobile_stub/web/dashboard/data/api.js';
import {Filters} from '../../../../dermport/mobile_stub/web/dashboard/data/filters.js';
import {Key} from '../../../../dermport/mobile_stub/web/dashboard/data/key.js';
import {Names} from '../../../../dermport/mobile_stub/web/dashboard/data/names.js';

const NOW = Date.parse('2026-11-21T15:30:00Z');

test('filters become the API’s query', () => {
  assert.equal(String(new Filters({days: 'all'}).query(NOW)), '');
  assert.equal(new Filters({days: '1'}).query(NOW).get('since'), '2026-11-21T00:00:00.000Z');
  assert.equal(new Filters({days: '7'}).query(NOW).get('since'), '2026-11-15T00:00:00.000Z');
  const some = new Filters({days: 'dates', from: '2026-11-01', to: '2026-11-02', cause: 'model', agrees: 'false'});
  assert.deepEqual(Object.fromEntries(some.query(NOW, {limit: '5'})), {
    cause: 'model',
    agrees: 'false',
    limit: '5',
    since: '2026-11-01T00:00:00.000Z',
    until: '2026-11-03T00:00:00.000Z',
  });
  assert.deepEqual(new Filters({days: 'dates', from: '', to: '2026-02-30x'}).span(NOW), [null, null]);
});

test('filters survive in an address, and nothing else does', () => {
  const some = new Filters({days: '7', device: 'ana-1'});
  assert.equal(some.write(), 'days=7&device=ana-1');
  assert.deepEqual(Filters.read(`#${some.write()}`), some);
  assert.deepEqual(Filters.read('#days=7&__proto__=x&key=dp_1'), new Filters({days: '7'}));
  assert.equal(new Filters().write(), '');
  assert.ok(some.narrowed && !some.with({device: ''}).narrowed);
  assert.throws(() => (some.days = '1'), TypeError);
});

function answering(status, body, asked = []) {
  return async (address, options) => {
    asked.push([address, options]);
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), {status});
  };
}

test('requests carry the key, and only where there is one', async () => {
  const asked = [];
  let key = 'dp_1_2';
  const api = new Api('http://jetson/', () => key, answering(200, {a: 1}, asked));
  assert.deepEqual(await api.get('v1/models', new URLSearchParams({limit: '5'})), {a: 1});
  key = null;
  await api.change('PUT', 'v1/admin/rollouts', {percentage: 5});
  const [[first, one], [, other]] = asked;
  assert.equal(first, 'http://jetson/v1/models?limit=5');
  assert.deepEqual(one.headers, {'X-Api-Key': 'dp_1_2'});
  assert.equal(one.credentials, 'omit');
  assert.deepEqual(
    [other.method, other.body, other.headers],
    ['PUT', '{"percentage":5}', {'Content-Type': 'application/json'}],
  );
});

test('refusals keep what the server says', async () => {
  const problem = {code: 'key-scope', detail: 'No.', remedy: 'Ask.', request_id: 'r'};
  await assert.rejects(new Api('/', () => null, answering(403, problem)).get('x'), (error) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual(
      [error.status, error.code, error.message, error.remedy, error.requestId],
      [403, 'key-scope', 'No.', 'Ask.', 'r'],
    );
    return true;
  });
  await assert.rejects(new Api('/', () => null, answering(502, '<html>')).get('x'), {status: 502, message: 'HTTP 502'});
  const broken = async () => {
    throw new TypeError('Failed to fetch');
  };
  await assert.rejects(new Api('/', () => null, broken).get('x'), {status: 0, code: 'unreachable'});
});

test('the key lives in the tab’s storage alone', () => {
  const stored = new Map();
  const storage = {
    getItem: (name) => stored.get(name) ?? null,
    setItem: (name, value) => stored.set(name, value),
    removeItem: (name) => stored.delete(name),
  };
  new Key(storage).keep('  dp_1_2\n');
  assert.equal(new Key(storage).value, 'dp_1_2');
  new Key(storage).forget();
  assert.equal(stored.size, 0);
  const without = new Key(null);
  without.keep('x');
  assert.equal(without.value, 'x');
});

test('names come from the server’s models', () => {
  const model = {
    name: 'ham7',
    version: '1.1.0',
    task: {labels: [{id: 'mel', name: 'Melanoma'}]},
    exports: [{target: 'tflite', precision: 'int8', artifact_sha256: 'a'.repeat(64)}],
  };
  const kit = {target: 'tensorrt', precision: 'fp32', artifact_sha256: 'c'.repeat(64)};
  const names = new Names([model, {...model, version: '1.2.0', exports: [{...kit, target: 'onnx'}, kit]}]);
  assert.equal(names.artifact('a'.repeat(64)), 'tflite int8 · ham7 1.1.0');
  assert.equal(names.artifact('b'.repeat(64)), 'bbbbbbbbbb…');
  assert.equal(names.artifact('c'.repeat(64)), 'onnx fp32 / tensorrt fp32 · ham7 1.2.0', 'one file, two exports');
  assert.deepEqual([names.label('mel'), names.label('nv'), names.knows('b')], ['Melanoma', 'nv', false]);
});
