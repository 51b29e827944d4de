import assert from 'node:assert/strict';
import {test} from 'node:test';
import {crc32, inflateSync} from 'node:zlib';
import {engine, noise} from './dist.mjs';

const {encodePng} = await engine('png.js');
const {readNpy} = await engine('npy.js');

test('a PNG holds the pixels and nothing else', async () => {
  const pixels = noise(13 * 7 * 3);
  const blob = await encodePng(pixels, 13);
  const bytes = Buffer.from(await blob.arrayBuffer());
  assert.equal(blob.type, 'image/png');
  const types = [];
  let data = null;
  for (let at = 8; at < bytes.length; at += bytes.readUInt32BE(at) + 12) {
    const length = bytes.readUInt32BE(at);
    types.push(bytes.toString('latin1', at + 4, at + 8));
    if (crc32) assert.equal(bytes.readUInt32BE(at + 8 + length), crc32(bytes.subarray(at + 4, at + 8 + length)));
    if (types.at(-1) === 'IDAT') data = inflateSync(bytes.subarray(at + 8, at + 8 + length));
  }
  assert.deepEqual(types, ['IHDR', 'IDAT', 'IEND']);
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]], [13, 7, 8, 2]);
  assert.deepEqual(unfiltered(data, 13 * 3), pixels);
});

function unfiltered(data, line) {
  const pixels = new Uint8Array((data.length / (line + 1)) * line);
  for (let row = 0; row * line < pixels.length; row++) {
    assert.equal(data[row * (line + 1)], 2);
    for (let at = 0; at < line; at++) {
      pixels[row * line + at] = data[row * (line + 1) + 1 + at] + (row ? pixels[(row - 1) * line + at] : 0);
    }
  }
  return pixels;
}

function npy(header, data) {
  const text = header.padEnd(117, ' ') + '\n';
  return Uint8Array.from([...Buffer.from('\x93NUMPY\x01\x00', 'latin1'), 118, 0, ...Buffer.from(text), ...data]);
}

test('an .npy file of uint8 is read', () => {
  const file = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(readNpy(file), {shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6)});
});

test('any other .npy file is refused', () => {
  const damaged = [
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", [1, 2, 3, 4, 5, 6]),
    npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", [1, 2, 3, 4, 5, 6]),
    npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }", [1, 2, 3, 4, 5, 6]),
    noise(200),
    new Uint8Array(3),
  ];
  for (const file of damaged) assert.throws(() => readNpy(file), (error) => error.code === 'damaged-file');
});
