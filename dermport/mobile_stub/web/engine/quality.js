import {grainOf, greyOf, leftAfterBlur, rangeOfBlocks} from './dermport-abstention.js';

const SAMPLES = 12; // pixels a side that are read of a cell, where there are as many: they average the camera's noise

/**
 * Looks at a photo while it is being prepared: whether it is worth predicting. It advises, and stops nothing.
 * The bounds, and how they were found, are in quality.json, which is dermport/bundle/photo_quality.json; dermport/bundle/photo_quality.py
 * comes to the same values.
 */
export class Survey {
  #bounds;
  #photo;
  #grid;

  /**
   * @param {{width: number, height: number}} photo as stored
   * @param {object} bounds quality.json
   */
  constructor({width, height}, bounds) {
    this.#bounds = bounds;
    this.#photo = {width, height};
    this.#grid = new Grid(width, height, bounds.grid.value);
  }

  /**
   * @param {(left: number, top: number, width: number, height: number) => Uint8ClampedArray} read gives RGBA
   * @returns {typeof read} the same, with this looking on
   */
  reading(read) {
    return (left, top, width, height) => {
      const data = read(left, top, width, height);
      this.#grid.add(data, left, top, width, height);
      return data;
    };
  }

  /**
   * @param {Uint8Array} tensor the prepared photo
   * @param {number} size its side
   * @returns {import('./client.js').Hint[]} in the order of quality.json
   */
  hints(tensor, size) {
    const values = this.values(tensor, size);
    return this.#bounds.hints
      .map(({code, side, threshold}) => ({code, side, threshold, value: values[code]}))
      .filter(({side, threshold, value}) => (side === 'below' ? value < threshold : value > threshold))
      .map(({code, threshold, value}) => ({code, value, threshold}));
  }

  /** @returns {Object<string, number>} what is held against the bounds, by the hint's code; NaN: cannot be said */
  values(tensor, size) {
    const grey = this.#grid.grey();
    const sorted = Float32Array.from(grey.data).sort();
    const grain = grainOf(greyOf(tensor, size));
    return {
      'too-small': Math.min(this.#photo.width, this.#photo.height) / size,
      'too-dark': sorted[Math.floor(0.95 * (sorted.length - 1))],
      'too-bright': sorted[Math.floor(0.05 * (sorted.length - 1))],
      blurred: leftAfterBlur(grey),
      noisy: grain,
      'over-compressed': grain,
      'no-lesion': rangeOfBlocks(tensor, size),
    };
  }
}

/** A small grey picture, made of the strips as they come by. */
class Grid {
  #cells;
  #step;
  #columns;
  #rows;
  #sums;
  #counts;

  constructor(width, height, shorter) {
    const scale = Math.min(1, shorter / Math.min(width, height));
    this.#cells = {width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale))};
    this.#step = Math.max(1, Math.floor(1 / (SAMPLES * scale)));
    this.#columns = Int32Array.from({length: width}, (_, x) => Math.floor((x * this.#cells.width) / width));
    this.#rows = Int32Array.from({length: height}, (_, y) => Math.floor((y * this.#cells.height) / height));
    this.#sums = new Float64Array(this.#cells.width * this.#cells.height);
    this.#counts = new Uint32Array(this.#sums.length);
  }

  add(rgba, left, top, width, height) {
    const step = this.#step;
    for (let y = Math.ceil(top / step) * step; y < top + height; y += step) {
      for (let x = Math.ceil(left / step) * step; x < left + width; x += step) {
        const from = ((y - top) * width + x - left) * 4;
        const cell = this.#rows[y] * this.#cells.width + this.#columns[x];
        this.#sums[cell] += 0.299 * rgba[from] + 0.587 * rgba[from + 1] + 0.114 * rgba[from + 2];
        this.#counts[cell]++;
      }
    }
  }

  /** The part of the picture that came by (the crop), or all of it: cells that nothing fell into are left out. */
  grey() {
    const {width} = this.#cells;
    const filled = Array.from(this.#counts.keys()).filter((cell) => this.#counts[cell] > 0);
    const [first, last] = [filled[0], filled[filled.length - 1]];
    const [left, right] = [first % width, last % width];
    const across = right - left + 1;
    const data = Float32Array.from(filled, (cell) => this.#sums[cell] / this.#counts[cell]);
    return {data, width: across, height: data.length / across};
  }
}
