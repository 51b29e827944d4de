/**
 * dermport-prep/1, steps 1 and 2 in a browser: a photo's bytes in, its stored pixels and EXIF orientation out.
 *
 * Browsers apply orientation and colour profiles each in its own way (WebKit ignores `colorSpaceConversion: 'none'`),
 * so both are cut out of the file before the browser sees it. The decoder itself is the browser's: compare the
 * input_sha256 of the photos in golden/ and vectors/ once per browser that you support.
 */

const PNG_COLOUR = new Set(['eXIf', 'iCCP', 'gAMA', 'cHRM', 'sRGB', 'cICP']);

/** @returns {Promise<{data: Uint8ClampedArray, width: number, height: number, orientation: number}>} RGBA */
export async function decode(bytes) {
  const {stripped, orientation} = strip(bytes);
  const options = {imageOrientation: 'none', colorSpaceConversion: 'none', premultiplyAlpha: 'none'};
  const bitmap = await createImageBitmap(new Blob([stripped]), options);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const {data, width, height} = context.getImageData(0, 0, canvas.width, canvas.height);
  return {data, width, height, orientation};
}

/**
 * Takes EXIF and colour profiles out of a JPEG or PNG.
 * @param {Uint8Array} bytes
 * @returns {{stripped: Uint8Array, orientation: number}}
 */
export function strip(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return stripJpeg(bytes);
  if (ascii(bytes, 1, 4) === 'PNG') return stripPng(bytes);
  throw new Error('The photo is neither JPEG nor PNG.');
}

function stripJpeg(bytes) {
  const kept = [bytes.subarray(0, 2)];
  let orientation = 0;
  let at = 2;
  while (bytes[at] === 0xff && bytes[at + 1] !== 0xda) { // up to the start of scan
    const marker = bytes[at + 1];
    if (marker === 0xff) { // a fill byte
      at++;
      continue;
    }
    const end = at + 2 + view(bytes).getUint16(at + 2);
    if (end > bytes.length) throw new Error('The JPEG is truncated.');
    const body = bytes.subarray(at + 4, end);
    if (marker === 0xe1 && ascii(body, 0, 6) === 'Exif\0\0') {
      orientation ||= exifOrientation(body.subarray(6));
    }
    if (marker !== 0xe1 && marker !== 0xe2) kept.push(bytes.subarray(at, end)); // APP1: EXIF, XMP; APP2: ICC
    at = end;
  }
  return {stripped: join([...kept, bytes.subarray(at)]), orientation: orientation || 1};
}

function stripPng(bytes) {
  if (bytes[24] > 8 || bytes[25] & 4) throw new Error('The PNG has 16 bits a channel or transparency.');
  const kept = [bytes.subarray(0, 8)];
  let orientation = 1;
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 12 + view(bytes).getUint32(at);
    const type = ascii(bytes, at + 4, at + 8);
    if (type === 'tRNS' || type === 'acTL') throw new Error('The PNG has transparency or is animated.');
    if (type === 'eXIf') orientation = exifOrientation(bytes.subarray(at + 8, end - 4));
    if (!PNG_COLOUR.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return {stripped: join(kept), orientation};
}

/** Tag 274 of a TIFF block's first directory, or 1 where it is absent, damaged or not 1 to 8. */
function exifOrientation(tiff) {
  try {
    const little = ascii(tiff, 0, 2) === 'II';
    const data = view(tiff);
    if (data.getUint16(2, little) !== 42) return 1;
    const directory = data.getUint32(4, little);
    for (let entry = 0; entry < data.getUint16(directory, little); entry++) {
      const at = directory + 2 + entry * 12;
      if (data.getUint16(at, little) !== 274) continue;
      const [type, count] = [data.getUint16(at + 2, little), data.getUint32(at + 4, little)];
      if (count !== 1 || (type !== 3 && type !== 4)) return 1; // neither SHORT nor LONG
      const value = type === 3 ? data.getUint16(at + 8, little) : data.getUint32(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // damaged EXIF is no EXIF
  }
  return 1;
}

function ascii(bytes, from, to) {
  return String.fromCharCode(...bytes.subarray(from, to));
}

function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function join(parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
