const BLOCKS = 16;
const MARGIN = 2; // blocks at each edge that are left out: dermatoscopes darken the corners
const LEAST = 8; // cells a side, below which nothing is said of sharpness
const SAMPLES = 12; // pixels a side that are read of a cell, where there are as many: they average the camera's noise
const FLOOR = 4; // levels²: the variance that noise and rounding leave in an even picture

/**
 * Looks at a photo while it is being prepared: whether it is worth predicting. It advises, and stops nothing.
 * The bounds, and how they were found, are in quality.json, which is bundle/photo_quality.json; bundle/photo_quality.py
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
    return {
      'too-small': Math.min(this.#photo.width, this.#photo.height) / size,
      'too-dark': sorted[Math.floor(0.95 * (sorted.length - 1))],
      'too-bright': sorted[Math.floor(0.05 * (sorted.length - 1))],
      blurred: leftAfterBlur(grey),
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

/**
 * What the model's input looks like: bundle/photo_quality.py's survey_input, value for value.
 * @param {Uint8Array} tensor size * size * 3
 * @param {number} size
 * @returns {Object<string, number>} by name; NaN: cannot be said
 */
export function inputValues(tensor, size) {
  const data = new Float32Array(size * size);
  for (let pixel = 0; pixel < data.length; pixel++) {
    const at = pixel * 3;
    data[pixel] = tensor[at] * 0.299 + tensor[at + 1] * 0.587 + tensor[at + 2] * 0.114;
  }
  const sorted = data.slice().sort();
  return {
    'too-dark': sorted[Math.floor(0.95 * (sorted.length - 1))],
    'too-bright': sorted[Math.floor(0.05 * (sorted.length - 1))],
    blurred: leftAfterBlur({data, width: size, height: size}),
    'no-lesion': rangeOfBlocks(tensor, size),
    ...colours(tensor, size),
  };
}

const PLANES = {
  light: ([red, green, blue]) => (red + green + blue) / 3,
  'red-green': ([red, green]) => red - green,
  'yellow-blue': ([red, green, blue]) => (red + green) / 2 - blue,
};

function colours(tensor, size) {
  const blocks = blockMeans(tensor, size);
  const found = Object.entries(PLANES).map(([name, plane]) => [name, blocks.map(plane)]);
  return Object.fromEntries(found.flatMap(([name, values]) => {
    const mean = meanOf(values);
    const spread = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
    return [[name, mean], [`${name}-spread`, Math.log(1 + spread)]];
  }));
}

function meanOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function leftAfterBlur(grey) {
  if (Math.min(grey.width, grey.height) < LEAST) return NaN;
  return (varianceOfLaplacian(blurred(grey)) + FLOOR) / (varianceOfLaplacian(grey) + FLOOR);
}

function varianceOfLaplacian({data, width, height}) {
  let [sum, squares, count] = [0, 0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const value = data[at - 1] + data[at + 1] + data[at - width] + data[at + width] - 4 * data[at];
      sum += value;
      squares += value * value;
      count++;
    }
  }
  return squares / count - (sum / count) ** 2;
}

function blurred({data, width, height}) {
  const across = convolved(data, height, width, width, 1);
  return {data: convolved(across, width, height, 1, width), width, height};
}

/** Each of `lines` lines of `length` values with the binomial weights 1, 4, 6, 4, 1; edges are repeated. */
function convolved(data, lines, length, line, step) {
  const result = new Float32Array(data.length);
  for (let row = 0; row < lines; row++) {
    const value = (at) => data[row * line + Math.min(length - 1, Math.max(0, at)) * step];
    for (let at = 0; at < length; at++) {
      const sum = value(at - 2) + 4 * value(at - 1) + 6 * value(at) + 4 * value(at + 1) + value(at + 2);
      result[row * line + at * step] = sum / 16;
    }
  }
  return result;
}

function rangeOfBlocks(tensor, size) {
  const inside = (index) => index >= MARGIN && index < BLOCKS - MARGIN;
  const means = blockMeans(tensor, size).map(meanOf)
    .filter((_, block) => inside(block % BLOCKS) && inside(Math.floor(block / BLOCKS)));
  return Math.max(...means) - Math.min(...means);
}

/** The means of 16 x 16 blocks, [red, green, blue] of each. */
function blockMeans(tensor, size) {
  const sums = Array.from({length: BLOCKS * BLOCKS}, () => [0, 0, 0]);
  const counts = new Uint32Array(BLOCKS * BLOCKS);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const [x, y] = [pixel % size, Math.floor(pixel / size)];
    const block = Math.floor((y * BLOCKS) / size) * BLOCKS + Math.floor((x * BLOCKS) / size);
    for (let channel = 0; channel < 3; channel++) sums[block][channel] += tensor[pixel * 3 + channel];
    counts[block]++;
  }
  return sums.map((sum, block) => sum.map((value) => value / counts[block]));
}
