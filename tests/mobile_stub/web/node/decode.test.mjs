import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {DIST, engine} from './dist.mjs';

const {strip} = await engine('dermport-decode.js');
const {probes} = JSON.parse(readFileSync(`${DIST}/engine/probes.json`));
const photos = new Map(probes.map(({kind, photo}) => [kind, new Uint8Array(Buffer.from(photo, 'base64'))]));
const JPEG = photos.get('jpeg-ycc-22-11-11');
const PROGRESSIVE = photos.get('jpeg-ycc-22-11-11-progressive');
const PNG = photos.get('png');
const isSaid = (code) => (error) => error.code === code && error.remedy !== '';
const refuses = (bytes, code) => assert.throws(() => strip(bytes), isSaid(code));

/** The bytes with those at a place replaced. */
function changed(bytes, at, ...others) {
  const copy = bytes.slice();
  copy.set(others, at);
  return copy;
}

/** Where the first segment of a kind begins. */
function segment(bytes, marker) {
  return bytes.findIndex((byte, at) => byte === 0xff && bytes[at + 1] === marker);
}

test('each way of decoding has its name, and its size is read', () => {
  for (const [kind, bytes] of photos) {
    const {kind: found, width, height} = strip(bytes);
    assert.deepEqual([found, width, height], [kind, 37, 37]);
  }
});

test('what is cut off is refused, however little it is: a decoder would fill it in somehow', () => {
  for (const bytes of [JPEG, PROGRESSIVE, PNG]) {
    for (const length of [bytes.length - 1, bytes.length - 2, bytes.length >> 1, 40]) {
      refuses(bytes.subarray(0, length), 'photo-damaged');
    }
  }
});

test('bytes after the end are nobody\'s business', () => {
  const longer = Uint8Array.from([...JPEG, 0xff, 0xd8, 0xff, 1, 2, 3]);
  assert.equal(strip(longer).kind, strip(JPEG).kind);
});

test('sizes are refused before anything is decoded', () => {
  const frame = segment(JPEG, 0xc0);
  refuses(changed(JPEG, frame + 5, 0x20, 0x00, 0x20, 0x00), 'too-many-pixels'); // 8192 x 8192
  refuses(changed(JPEG, frame + 5, 0x00, 0x01, 0x75, 0x31), 'too-many-pixels'); // 30,001 wide
  refuses(changed(JPEG, frame + 5, 0x00, 0x00), 'photo-damaged');
  refuses(changed(PNG, 16, 0, 0, 0x20, 0, 0, 0, 0x20, 0), 'too-many-pixels');
  refuses(new Uint8Array(32 * 1024 * 1024 + 1), 'too-many-bytes');
  refuses(new Uint8Array(0), 'empty');
});

test('whether a PNG has transparency is left to its pixels', () => {
  assert.deepEqual([strip(PNG).alpha, strip(changed(PNG, 25, 6)).alpha], [false, true]);
});

test('forms that no two decoders agree on are refused', () => {
  const frame = segment(JPEG, 0xc0);
  refuses(changed(JPEG, frame + 4, 12), 'unsupported-form'); // bits
  refuses(changed(JPEG, frame + 1, 0xc9), 'unsupported-form'); // arithmetic coding
  refuses(changed(PNG, 24, 16), 'unsupported-form');
  refuses(Uint8Array.of(1, 2, 3, 4), 'unsupported-type');
});
