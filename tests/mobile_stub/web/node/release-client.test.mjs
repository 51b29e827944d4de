import assert from 'node:assert/strict';
import {test} from 'node:test';
import {engine, noise} from './dist.mjs';

const {ReleaseClient} = await engine('release-client.js');
const {sha256Hex} = await engine('sha256.js');
const MANIFEST = {name: 'tiny', version: '1.0.0'};
const BYTES = noise(5000);
const LISTED = {path: 'exports/tflite fp32/model.tflite', bytes: BYTES.length, sha256: sha256Hex(BYTES)};

/** Keeps what has arrived, as engine/partial-downloads.js does in IndexedDB. */
class Memory {
  bytes = new Uint8Array(BYTES.length);
  length = 0;

  open() {
    return this;
  }

  add(value) {
    this.bytes.set(value.subarray(0, this.bytes.length - this.length), this.length);
    this.length += value.length;
  }

  forget() {
    this.length = 0;
  }

  whole() {
    return this.bytes;
  }
}

/** A Jetson whose connection breaks after so many bytes, time after time. */
class Jetson {
  asked = [];

  constructor({bytes = BYTES, breaks = [], ranges = true} = {}) {
    Object.assign(this, {bytes, breaks, ranges});
  }

  async fetch(path, {headers = {}} = {}) {
    this.asked.push({path, range: headers.Range});
    const from = this.ranges && headers.Range ? Number(/\d+/.exec(headers.Range)[0]) : 0;
    const most = this.breaks.shift();
    if (most === 'refused') return Response.json({detail: 'No.', remedy: 'Ask nicely.'}, {status: 410});
    if (most === 'away') throw new TypeError('fetch failed');
    const body = new ReadableStream({
      start: (stream) => {
        stream.enqueue(this.bytes.slice(from, most === undefined ? undefined : from + most));
        if (most === undefined) stream.close();
      },
      pull: (stream) => stream.error(new TypeError('network error')),
    });
    const range = from ? {'Content-Range': `bytes ${from}-${this.bytes.length - 1}/${this.bytes.length}`} : {};
    return new Response(body, {status: from ? 206 : 200, headers: range});
  }
}

function fetched(jetson, parts = new Memory()) {
  return new ReleaseClient(jetson, async () => {}).file(MANIFEST, LISTED, parts, () => {});
}

const fails = (work, code) => assert.rejects(work, (error) => error.code === code && error.remedy !== undefined);

test('a file is fetched by its listed path and hash', async () => {
  const jetson = new Jetson();
  assert.deepEqual(await fetched(jetson), BYTES);
  const path = `/v1/models/tiny/1.0.0/files/exports/tflite%20fp32/model.tflite?sha256=${LISTED.sha256}`;
  assert.deepEqual(jetson.asked, [{path, range: undefined}]);
});

test('a broken download goes on where it ended', async () => {
  const jetson = new Jetson({breaks: [1000, 'away', 2000]});
  assert.deepEqual(await fetched(jetson), BYTES);
  assert.deepEqual(jetson.asked.map(({range}) => range), [undefined, 'bytes=1000-', 'bytes=1000-', 'bytes=3000-']);
});

test('a server that knows no ranges starts again', async () => {
  assert.deepEqual(await fetched(new Jetson({breaks: [1000], ranges: false})), BYTES);
});

test('where nothing arrives any more, what has arrived is kept', async () => {
  const parts = new Memory();
  await fails(() => fetched(new Jetson({breaks: [1000, 'away', 'away', 'away', 'away']}), parts), 'offline');
  assert.equal(parts.length, 1000);
  assert.deepEqual(await fetched(new Jetson(), parts), BYTES);
});

test('other bytes than the listed ones are thrown away', async () => {
  for (const bytes of [noise(5000, 2), noise(6000), noise(4000)]) {
    const parts = new Memory();
    const code = bytes.length < BYTES.length ? 'offline' : 'damaged-file';
    await fails(() => fetched(new Jetson({bytes}), parts), code);
    if (code === 'damaged-file') assert.equal(parts.length, 0);
  }
});

test('a refusal is final, and in the server\'s own words', async () => {
  const jetson = new Jetson({breaks: ['refused']});
  await assert.rejects(() => fetched(jetson), {code: 'refused', message: 'No.', remedy: 'Ask nicely.'});
  assert.equal(jetson.asked.length, 1);
});
