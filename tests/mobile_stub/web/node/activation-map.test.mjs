import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {DIST, engine} from './dist.mjs';

const {colour, highest, overlay, places, plain, spread} = await engine('activation-map.js');
const drawing = JSON.parse(readFileSync(`${DIST}/engine/activation_map.json`));
const vectors = JSON.parse(readFileSync(new URL('../../../../docs/integration/golden/maps/maps.json', import.meta.url)));
const grid = vectors.grids[vectors.label];
const shape = [grid.length, grid[0].length];
const values = grid.flat();

function close(found, wanted, by) {
  assert.equal(found.length, wanted.length);
  wanted.forEach((value, at) => assert.ok(Math.abs(found[at] - value) <= by, `${at}: ${found[at]}, not ${value}`));
}

test('places are those of dermport/bundle/activation_map.py', () => {
  assert.equal(drawing.shift, vectors.shift);
  close(places(vectors.places.side, vectors.places.cells, drawing.shift), vectors.places.values, 1e-8);
});

test('the smooth map and its colours are Python’s', () => {
  const smooth = spread(values, shape, vectors.spread.side, drawing.shift);
  close(smooth, vectors.spread.values.flat(), 1e-5);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const colours = Array.from(smooth, (value) => colour((value - low) / (high - low), drawing.colours)).flat();
  close(colours, vectors.colours.flat(2), 1); // levels: halves are rounded otherwise
});

test('the overlay is the photo and the colours, each as much as the opacity says', () => {
  const tensor = new Uint8Array(8 * 8 * 3).fill(100);
  const drawn = overlay(tensor, values, shape, drawing);
  const rgb = Array.from(drawn).filter((_, at) => at % 4 < 3);
  close(rgb, vectors.colours.flat(2).map((level) => 100 + (level - 100) * drawing.opacity), 1.5);
  assert.deepEqual([...new Set(Array.from(plain(tensor)))].sort(), [100, 255]);
});

test('an even map has one colour, and no division by nothing', () => {
  const drawn = overlay(new Uint8Array(4 * 4 * 3), [2, 2, 2, 2], [2, 2], drawing);
  assert.equal(new Set(Array.from(drawn).filter((_, at) => at % 4 === 0)).size, 1);
});

test('the highest cell is named by its place in the photo', () => {
  const one = (at) => Array.from({length: 49}, (_, cell) => Number(cell === at));
  assert.deepEqual([0, 3, 6, 21, 24, 48].map((at) => highest(one(at), [7, 7], drawing.shift)), [0, 1, 2, 3, 4, 8]);
});
