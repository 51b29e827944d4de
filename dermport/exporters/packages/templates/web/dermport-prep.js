/**
 * dermport-prep/1, steps 3 to 6: decoded pixels in, the model's input out, byte for byte what `dermport/bundle/prep.py` makes.
 * The package's test runs this file in Node against the Python definition. It needs nothing but plain JavaScript.
 */

const BITS = 22; // Pillow's 8-bit resize: weights in fixed point with 22 fractional bits
const STRIP = 1 << 20; // pixels that are read at once, so that a photo of 48 megapixels needs 4 MB here, not 192

/**
 * @typedef {object} Image a photo as stored: not yet turned; alpha is ignored
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array|Uint8ClampedArray} [data] RGB or RGBA, rows first (an ImageData)
 * @property {(left: number, top: number, width: number, height: number) => Uint8ClampedArray} [read] instead of `data`:
 *     gives the RGBA of a box; each pixel of the crop is asked for once
 *
 * @param {Image} image
 * @param {{size: number, crop?: 'full-frame'|'centre-square', orientation?: number}} spec EXIF tag 274 is 1 to 8.
 * @returns {Uint8Array} size * size * 3 values, rows first, RGB; its sha256 is the input_sha256.
 */
export function prepare(image, {size, crop = 'full-frame', orientation = 1}) {
  const box = cropped(image, orientation, crop);
  const rows = new Uint8Array(box.height * size * 3);
  const columns = triangle(box.width, size);
  const height = image.data ? box.height : Math.max(1, Math.floor(STRIP / box.width));
  for (let done = 0; done < box.height; done += height) {
    const strip = {...box, top: box.top + done, height: Math.min(height, box.height - done)};
    const target = {data: rows, from: done * size * 3, line: size * 3, step: 3};
    pass(upright(image, orientation, strip), target, strip.height, columns);
  }
  const tensor = new Uint8Array(size * size * 3);
  const down = {from: 0, line: 3, step: size * 3};
  pass({data: rows, ...down}, {data: tensor, ...down}, size, triangle(box.height, size));
  return tensor;
}

/** The crop's box in the picture as it is seen, that is, turned. */
function cropped(image, orientation, crop) {
  const [across, down] = orientation >= 5 ? [image.height, image.width] : [image.width, image.height];
  if (crop !== 'centre-square') return {left: 0, top: 0, width: across, height: down};
  const side = Math.min(across, down);
  return {left: (across - side) >> 1, top: (down - side) >> 1, width: side, height: side};
}

/** Where a box of the picture as it is seen lies among the stored pixels: turning is walking through them otherwise. */
function upright(image, orientation, {left, top, width, height}) {
  const swapped = orientation >= 5;
  const stored = swapped ? {left: top, top: left, width: height, height: width} : {left, top, width, height};
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  if (mirrorX) stored.left = image.width - stored.left - stored.width;
  if (mirrorY) stored.top = image.height - stored.top - stored.height;
  const {data, from, row, pixel} = pixels(image, stored);
  const [right, down] = [mirrorX ? -pixel : pixel, mirrorY ? -row : row];
  return {
    data,
    from: from + (mirrorX ? (stored.width - 1) * pixel : 0) + (mirrorY ? (stored.height - 1) * row : 0),
    line: swapped ? right : down,
    step: swapped ? down : right,
  };
}

/** A box of the stored pixels: where its first one is, and how many bytes lie between rows and between pixels. */
function pixels(image, {left, top, width, height}) {
  if (!image.data) return {data: image.read(left, top, width, height), from: 0, row: width * 4, pixel: 4};
  const pixel = image.data.length / (image.width * image.height);
  return {data: image.data, from: (top * image.width + left) * pixel, row: image.width * pixel, pixel};
}

/** Resizes lines, rounded to 8 bits; `line` and `step` are the bytes between lines, and between pixels of a line. */
function pass(source, target, lines, {first, start, weights}) {
  const [data, result, step] = [source.data, target.data, source.step];
  for (let pixel = 0; pixel < first.length; pixel++) {
    const end = start[pixel + 1];
    for (let line = 0; line < lines; line++) {
      let from = source.from + line * source.line + first[pixel] * step;
      let red = 1 << (BITS - 1);
      let [green, blue] = [red, red];
      for (let tap = start[pixel]; tap < end; tap++, from += step) {
        red += weights[tap] * data[from];
        green += weights[tap] * data[from + 1];
        blue += weights[tap] * data[from + 2];
      }
      const to = target.from + line * target.line + pixel * target.step;
      result[to] = red >> BITS;
      result[to + 1] = green >> BITS;
      result[to + 2] = blue >> BITS;
    }
  }
}

/** For each of `size` pixels, the first of the `length` source pixels that it reads, and their weights. */
function triangle(length, size) {
  const scale = length / size;
  const support = Math.max(1, scale); // widens when shrinking, so that no source pixel is skipped
  const [first, start, weights] = [new Int32Array(size), new Int32Array(size + 1), []];
  for (let pixel = 0; pixel < size; pixel++) {
    const center = (pixel + 0.5) * scale;
    first[pixel] = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(length, Math.trunc(center + support + 0.5));
    const taps = Array.from({length: end - first[pixel]}, (_, tap) =>
      Math.max(0, 1 - Math.abs((first[pixel] + tap - center + 0.5) * (1 / support))));
    const total = taps.reduce((sum, tap) => sum + tap, 0);
    weights.push(...taps.map((tap) => Math.trunc(0.5 + (tap / total) * 2 ** BITS)));
    start[pixel + 1] = weights.length;
  }
  return {first, start, weights: Int32Array.from(weights)};
}
