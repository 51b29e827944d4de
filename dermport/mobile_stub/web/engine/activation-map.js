const DRAWING = new URL('activation_map.json', import.meta.url);

/**
 * @typedef {object} ActivationMap of one photo: what each cell adds to each label's calibrated logit
 * @property {[number, number]} shape rows and columns of cells
 * @property {Object<string, number[]>} values by label id, rows first
 *
 * @typedef {{shift: number, opacity: number, colours: [number, number, number][]}} Drawing as
 *     dermport/bundle/activation_map.json has it, which Python reads too
 */

/** @returns {Promise<Drawing>} how maps are drawn */
export async function readDrawing() {
  return (await fetch(DRAWING)).json();
}

/**
 * Where each pixel of a row or column lies among the cells, as dermport/bundle/activation_map.py has it.
 * @param {number} side pixels
 * @param {number} cells
 * @param {number} shift cells by which each lies further to the lower right than an even division puts it
 * @returns {number[]} 0: the centre of the first cell; beyond the first and the last, theirs
 */
export function places(side, cells, shift) {
  return Array.from({length: side}, (_, pixel) => {
    const even = ((pixel + 0.5) / side) * cells - 0.5;
    return Math.min(Math.max(even - shift, 0), cells - 1);
  });
}

/**
 * A map drawn smoothly over a photo: bilinear between the cells' centres.
 * @param {number[]} values rows first
 * @param {[number, number]} shape
 * @param {number} side pixels
 * @param {number} shift
 * @returns {Float64Array} side * side, rows first
 */
export function spread(values, [rows, columns], side, shift) {
  const [down, across] = [rows, columns].map((cells) => places(side, cells, shift));
  const cell = (row, column) => values[Math.min(row, rows - 1) * columns + Math.min(column, columns - 1)];
  return Float64Array.from({length: side * side}, (_, pixel) => {
    const [y, x] = [down[Math.floor(pixel / side)], across[pixel % side]];
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [upper, lower] = [top, top + 1].map((row) => mixed(cell(row, left), cell(row, left + 1), x - left));
    return mixed(upper, lower, y - top);
  });
}

/**
 * @param {number} share 0 to 1
 * @param {Drawing['colours']} colours
 * @returns {number[]} red, green and blue, 0 to 255
 */
export function colour(share, colours) {
  const place = Math.min(Math.max(share, 0), 1) * (colours.length - 1);
  const below = Math.min(Math.floor(place), colours.length - 2);
  return colours[below].map((level, channel) => Math.round(mixed(level, colours[below + 1][channel], place - below)));
}

/**
 * A photo under one label's map, from the map's least value (the first colour) to its largest (the last one).
 * @param {Uint8Array} tensor the model's input, side * side * 3
 * @param {number[]} values of the label
 * @param {[number, number]} shape
 * @param {Drawing} drawing
 * @returns {Uint8ClampedArray} side * side * 4: RGBA
 */
export function overlay(tensor, values, shape, {shift, opacity, colours}) {
  const side = Math.sqrt(tensor.length / 3);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pixels = plain(tensor);
  spread(values, shape, side, shift).forEach((value, pixel) => {
    const over = colour((value - low) / Math.max(high - low, 1e-9), colours);
    over.forEach((level, channel) => {
      pixels[4 * pixel + channel] = mixed(tensor[3 * pixel + channel], level, opacity);
    });
  });
  return pixels;
}

/** @param {Uint8Array} tensor @returns {Uint8ClampedArray} the same as RGBA */
export function plain(tensor) {
  const pixels = new Uint8ClampedArray((tensor.length / 3) * 4).fill(255);
  for (let pixel = 0; pixel < tensor.length / 3; pixel++) {
    pixels.set(tensor.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  }
  return pixels;
}

/**
 * In which ninth of the photo the highest cell lies.
 * @param {number[]} values
 * @param {[number, number]} shape
 * @param {number} shift
 * @returns {number} 0: upper left, 1: top, ... 8: lower right
 */
export function highest(values, [rows, columns], shift) {
  const at = values.indexOf(Math.max(...values));
  const third = (cell, cells) => Math.min(2, Math.floor((3 * (cell + 0.5 + shift)) / cells));
  return 3 * third(Math.floor(at / columns), rows) + third(at % columns, columns);
}

function mixed(one, other, share) {
  return one + (other - one) * share;
}
