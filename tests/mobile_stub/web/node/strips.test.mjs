import assert from 'node:assert/strict';
import {test} from 'node:test';
import {engine, noise} from './dist.mjs';

const {prepare} = await engine('dermport-prep.js');

/** Gives boxes of an RGBA picture, and counts how often each pixel was asked for. */
function stripsOf({data, width, height}) {
  const asked = new Uint8Array(width * height);
  const boxes = [];
  const read = (left, top, across, down) => {
    boxes.push(across * down);
    const box = new Uint8ClampedArray(across * down * 4);
    for (let y = 0; y < down; y++) {
      const from = (top + y) * width + left;
      asked.subarray(from, from + across).forEach((_, at) => asked[from + at]++);
      box.set(data.subarray(from * 4, (from + across) * 4), y * across * 4);
    }
    return box;
  };
  return {image: {width, height, read}, asked, boxes};
}

for (const crop of ['full-frame', 'centre-square']) {
  test(`strips give the bytes of the whole picture, turned in any way: ${crop}`, () => {
    const [width, height] = [1601, 1203];
    const whole = {data: noise(width * height * 4), width, height};
    for (let orientation = 1; orientation <= 8; orientation++) {
      const {image, asked, boxes} = stripsOf(whole);
      const spec = {size: 40, crop, orientation};
      assert.deepEqual(prepare(image, spec), prepare(whole, spec), `orientation ${orientation}`);
      assert.ok(boxes.length > 1 && Math.max(...boxes) <= 1 << 20, 'no strip has more than a megapixel');
      const pixels = crop === 'full-frame' ? width * height : Math.min(width, height) ** 2;
      assert.equal(asked.reduce((sum, count) => sum + count, 0), pixels);
      assert.ok(asked.every((count) => count <= 1), 'no pixel is read twice');
    }
  });
}
