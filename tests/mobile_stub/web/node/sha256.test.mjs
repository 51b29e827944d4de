import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {engine, noise} from './dist.mjs';

const {sha256Hex, sha256InPieces} = await engine('sha256.js');
const expected = (bytes) => createHash('sha256').update(bytes).digest('hex');

test('bytes of any length have the sha256 that everybody else computes', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 110592]) {
    assert.equal(sha256Hex(noise(length)), expected(noise(length)), `${length} bytes`);
  }
});

test('in pieces it is the same, and others get their turn', async () => {
  const bytes = noise(2_000_000);
  let turns = 0;
  const others = setInterval(() => turns++, 0);
  assert.equal(await sha256InPieces(bytes), expected(bytes));
  clearInterval(others);
  assert.ok(turns > 0);
});

test('crypto.subtle is not asked', () => {
  const subtle = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(crypto), 'subtle');
  Object.defineProperty(crypto, 'subtle', {value: undefined, configurable: true});
  try {
    assert.equal(sha256Hex(new Uint8Array(0)), expected(''));
  } finally {
    Object.defineProperty(crypto, 'subtle', subtle);
  }
});
