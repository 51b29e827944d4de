// When the model cannot tell: dermport/bundle/abstention.py's rule, on the model's input. Nothing of a browser; runs anywhere.

const BLOCKS = 16;
const MARGIN = 2; // blocks at each edge that are left out: dermatoscopes darken the corners
const LEAST = 8; // cells a side, below which nothing is said of sharpness and grain
const FLOOR = 4; // levels²: the variance that noise and rounding leave in an even picture
const NORMAL = 0.6745; // the median of |x|, x of the standard normal distribution

/**
 * Why the model cannot tell.
 * @param {object|null|undefined} rule manifest.abstention; absent: everything is answered
 * @param {Object<string, number>} values of the input (inputValues); NaN: cannot be said
 * @returns {{code: string, value: number, bound: number}[]} empty: it can tell
 */
export function reasonsNotToTell(rule, values) {
  if (!rule) return [];
  if (rule.score !== 'input-distance') throw new Error(`The bundle's rule is of score ${rule.score}: decide nothing.`);
  const unknown = [...rule.quality.map(({code}) => code), ...rule.reference.names].find((name) => !(name in values));
  if (unknown) throw new Error(`The bundle's rule is of ${unknown}, which is not known here: decide nothing.`);
  const found = rule.quality
    .filter(({code, side, threshold}) => (side === 'below' ? values[code] < threshold : values[code] > threshold))
    .map(({code, threshold}) => ({code: `quality:${code}`, value: values[code], bound: threshold}));
  const away = distance(rule.reference, values);
  if (away > rule.threshold) found.push({code: 'out_of_distribution', value: away, bound: rule.threshold});
  return found;
}

/** The Mahalanobis distance of an input's values from the reference; NaN where one of them cannot be said. */
function distance({names, mean, precision}, values) {
  const away = names.map((name, index) => (values[name] ?? NaN) - mean[index]);
  const terms = precision.flatMap((row, one) => row.map((weight, other) => away[one] * weight * away[other]));
  return Math.sqrt(Math.max(0, terms.reduce((sum, term) => sum + term, 0)));
}

/**
 * What the model's input looks like: dermport/bundle/photo_quality.py's survey_input, value for value.
 * @param {Uint8Array} tensor size * size * 3
 * @param {number} size
 * @returns {Object<string, number>} by name; NaN: cannot be said
 */
export function inputValues(tensor, size) {
  const grey = greyOf(tensor, size);
  const sorted = grey.data.slice().sort();
  const grain = grainOf(grey);
  return {
    'too-dark': sorted[Math.floor(0.95 * (sorted.length - 1))],
    'too-bright': sorted[Math.floor(0.05 * (sorted.length - 1))],
    blurred: leftAfterBlur(grey),
    noisy: grain,
    'over-compressed': grain,
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

/** The grey levels of an input. */
export function greyOf(tensor, size) {
  const data = new Float32Array(size * size);
  for (let pixel = 0; pixel < data.length; pixel++) {
    const at = pixel * 3;
    data[pixel] = tensor[at] * 0.299 + tensor[at + 1] * 0.587 + tensor[at + 2] * 0.114;
  }
  return {data, width: size, height: size};
}

/**
 * The standard deviation of what differs from pixel to pixel: the median size of Immerkær's mask.
 * @param {{data: Float32Array, width: number, height: number}} grey
 * @returns {number} grey levels; NaN: cannot be said
 */
export function grainOf({data, width, height}) {
  if (Math.min(width, height) < LEAST) return NaN;
  const sizes = new Float64Array((width - 2) * (height - 2));
  const across = (at) => data[at - 1] - 2 * data[at] + data[at + 1];
  for (let at = 0; at < sizes.length; at++) {
    const middle = (Math.floor(at / (width - 2)) + 1) * width + (at % (width - 2)) + 1;
    sizes[at] = Math.abs(across(middle - width) - 2 * across(middle) + across(middle + width));
  }
  return sizes.sort()[Math.floor((sizes.length - 1) / 2)] / (6 * NORMAL);
}

/**
 * Whether a grey picture is sharp: the share of its Laplacian's variance that one more blur leaves.
 * @param {{data: Float32Array, width: number, height: number}} grey
 * @returns {number} NaN: cannot be said
 */
export function leftAfterBlur(grey) {
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

/**
 * How far the mean grey levels of the input's blocks lie apart, its edge left out.
 * @param {Uint8Array} tensor
 * @param {number} size
 * @returns {number} NaN: cannot be said
 */
export function rangeOfBlocks(tensor, size) {
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
