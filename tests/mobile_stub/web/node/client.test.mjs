import assert from 'node:assert/strict';
import {test} from 'node:test';
import {engine} from './dist.mjs';

const {Engine} = await engine('client.js');

/** A worker that says what the test has it say. */
class FakeWorker extends EventTarget {
  asked = [];
  ended = false;

  postMessage(message) {
    this.asked.push(message);
  }

  say(data) {
    this.dispatchEvent(Object.assign(new Event('message'), {data}));
  }

  terminate() {
    this.ended = true;
  }
}

test('answers find their questions, in whatever order they come', async () => {
  const worker = new FakeWorker();
  const client = new Engine(worker);
  const [first, second] = [client.predict('a'), client.predict('b')];
  assert.deepEqual(worker.asked.map(({method, args}) => [method, args]), [['predict', ['a']], ['predict', ['b']]]);
  worker.say({id: worker.asked[1].id, result: 2});
  worker.say({id: worker.asked[0].id, result: 1});
  assert.deepEqual(await Promise.all([first, second]), [1, 2]);
});

test('an error keeps its code and remedy on the way', async () => {
  const worker = new FakeWorker();
  const asked = new Engine(worker).predict('a');
  worker.say({id: worker.asked[0].id, error: {code: 'no-model', message: 'No model.', remedy: 'Fetch one.'}});
  await assert.rejects(asked, {name: 'EngineError', code: 'no-model', message: 'No model.', remedy: 'Fetch one.'});
});

test('progress is told before the answer', async () => {
  const worker = new FakeWorker();
  const told = [];
  const loaded = new Engine(worker).load({}, {progress: (...done) => told.push(done)});
  worker.say({id: worker.asked[0].id, progress: [1, 24]});
  worker.say({id: worker.asked[0].id, result: 'loaded'});
  assert.equal(await loaded, 'loaded');
  assert.deepEqual(told, [[1, 24]]);
});

test('a worker that falls over takes no question with it silently', async () => {
  const worker = new FakeWorker();
  const client = new Engine(worker);
  const asked = client.predict('a');
  worker.dispatchEvent(Object.assign(new Event('error'), {message: 'out of memory'}));
  await assert.rejects(asked, {code: 'engine-failed', message: /out of memory/});
  await assert.rejects(client.predict('b'), {code: 'engine-failed'});
});

test('closing ends the worker and what is under way', async () => {
  const worker = new FakeWorker();
  const client = new Engine(worker);
  const asked = client.predict('a');
  client.close();
  assert.ok(worker.ended);
  await assert.rejects(asked, {code: 'engine-closed'});
});
