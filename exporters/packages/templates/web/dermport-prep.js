/**
 * dermport-prep/1, steps 3 to 6: decoded pixels in, the model's input out, byte for byte what `bundle/prep.py` makes.
 * The package's test runs this file in Node against the Python definition. It needs nothing but plain JavaScript.
 */

const BITS = 22; // Pillow's 8-bit resize: weights in fixed point with 22 fractional bits

/**
 * @param {{data: Uint8Array|Uint8ClampedArray, width: number, height: number}} image RGB or RGBA (an ImageData),
 *     rows first, as stored: not yet turned, alpha ignored.
 * @param {{size: number, crop?: 'full-frame'|'centre-square', orientation?: number}} spec EXIF tag 274 is 1 to 8.
 * @returns {Uint8Array} size * size * 3 values, rows first, RGB; its sha256 is the input_sha256.
 */
export function prepare(image, {size, crop = 'full-frame', orientation = 1}) {
  const {data, width, height} = upright(image, orientation, crop);
  const rows = pass(data, height, width, size, width * 3, 3, size * 3);
  return pass(rows, size, height, size, 3, size * 3, 3);
}

/** Turns as EXIF says and cuts out the crop's box; RGB. */
function upright(image, orientation, crop) {
  const channels = image.data.length / (image.width * image.height);
  const swapped = orientation >= 5;
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  const full = swapped ? [image.height, image.width] : [image.width, image.height];
  const [width, height] = crop === 'centre-square' ? [Math.min(...full), Math.min(...full)] : full;
  const left = (full[0] - width) >> 1;
  const top = (full[1] - height) >> 1;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const u = swapped ? y + top : x + left;
      const v = swapped ? x + left : y + top;
      const column = mirrorX ? image.width - 1 - u : u;
      const row = mirrorY ? image.height - 1 - v : v;
      const from = (row * image.width + column) * channels;
      data[to] = image.data[from];
      data[to + 1] = image.data[from + 1];
      data[to + 2] = image.data[from + 2];
    }
  }
  return {data, width, height};
}

/** Resizes each of `lines` lines from `length` to `size` pixels, rounded to 8 bits; `step` bytes lie between pixels. */
function pass(source, lines, length, size, sourceLine, step, targetLine) {
  const target = new Uint8Array(lines * size * 3);
  triangle(length, size).forEach(({first, weights}, pixel) => {
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 3; channel++) {
        let from = line * sourceLine + first * step + channel;
        let sum = 1 << (BITS - 1);
        for (const weight of weights) {
          sum += weight * source[from];
          from += step;
        }
        target[line * targetLine + pixel * step + channel] = sum >> BITS;
      }
    }
  });
  return target;
}

/** For each of `size` pixels, the first of the `length` source pixels that it reads, and their weights. */
function triangle(length, size) {
  const scale = length / size;
  const support = Math.max(1, scale); // widens when shrinking, so that no source pixel is skipped
  return Array.from({length: size}, (_, pixel) => {
    const center = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(length, Math.trunc(center + support + 0.5));
    const taps = Array.from({length: end - first}, (_, tap) =>
      Math.max(0, 1 - Math.abs((first + tap - center + 0.5) * (1 / support))));
    const total = taps.reduce((sum, tap) => sum + tap, 0);
    return {first, weights: taps.map((tap) => Math.trunc(0.5 + (tap / total) * 2 ** BITS))};
  });
}
