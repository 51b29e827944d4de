import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {DIST, engine, noise} from './dist.mjs';

const {Survey} = await engine('quality.js');
const {prepare} = await engine('dermport-prep.js');
const bounds = JSON.parse(readFileSync(`${DIST}/engine/quality.json`));
const SIZE = 96;

/** Draws grey: skin of one level, a spot in the middle, and grain. */
function drawn({width = 400, height = 300, skin = 170, spot = 70, edge = 8, grain = 12} = {}) {
  const grains = noise(width * height, 7);
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    const away = Math.hypot(x - width / 2, y - height / 2) - height / 5;
    const inside = Math.min(1, Math.max(0, 0.5 - away / edge));
    data.fill(skin + (spot - skin) * inside + (grain * (grains[at] - 127)) / 127, at * 4, at * 4 + 3);
  }
  return {data, width, height};
}

function look(image, spec = {}) {
  const survey = new Survey(image, bounds);
  const read = survey.reading((left, top, across, down) => {
    const rows = Array.from({length: down}, (_, y) => {
      const from = ((top + y) * image.width + left) * 4;
      return image.data.subarray(from, from + across * 4);
    });
    return Uint8ClampedArray.from(rows.flatMap((row) => Array.from(row)));
  });
  const tensor = prepare({width: image.width, height: image.height, read}, {size: SIZE, ...spec});
  return {codes: survey.hints(tensor, SIZE).map(({code}) => code), values: survey.values(tensor, SIZE)};
}

test('a sharp, well lit lesion is nothing to complain of', () => {
  assert.deepEqual(look(drawn()).codes, []);
});

test('each fault is named', () => {
  assert.deepEqual(look(drawn({width: 90, height: 80, grain: 4})).codes, ['too-small']);
  assert.deepEqual(look(drawn({skin: 60, spot: 10, grain: 4})).codes, ['too-dark']);
  assert.ok(look(drawn({skin: 250, spot: 225, grain: 2})).codes.includes('too-bright'));
  assert.deepEqual(look(drawn({edge: 120, grain: 0})).codes, ['blurred', 'over-compressed']);
  assert.deepEqual(look(drawn({grain: 60})).codes, ['noisy']);
  assert.deepEqual(look(drawn({edge: 1, grain: 0})).codes, ['over-compressed']);
  assert.deepEqual(look(drawn({spot: 170})).codes, ['no-lesion']);
});

test('a hint carries its value and bound', () => {
  const image = drawn({width: 90, height: 80});
  const survey = new Survey(image, bounds);
  const tensor = prepare(image, {size: SIZE});
  survey.reading(() => image.data)(0, 0, image.width, image.height);
  assert.deepEqual(survey.hints(tensor, SIZE)[0], {code: 'too-small', threshold: 1, value: 80 / 96});
});

test('turning a photo or cropping it changes nothing about its light', () => {
  const {values} = look(drawn());
  for (const spec of [{orientation: 6}, {orientation: 3}, {crop: 'centre-square'}]) {
    const turned = look(drawn(), spec).values;
    for (const code of ['too-small', 'too-dark']) {
      assert.ok(Math.abs(turned[code] - values[code]) < 3, `${code} ${JSON.stringify(spec)}`);
    }
  }
});

test('of a picture of one pixel nothing is said of its sharpness', () => {
  assert.deepEqual(look(drawn({width: 1, height: 1})).codes.includes('blurred'), false);
});
