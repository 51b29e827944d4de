/**
 * dermport-prep/1, steps 1 and 2 in a browser: a photo's bytes in, its stored pixels and EXIF orientation out.
 *
 * Browsers apply orientation and colour profiles each in its own way (WebKit ignores `colorSpaceConversion: 'none'`),
 * so both are cut out of the file before the browser sees it. The decoder itself is the browser's: compare the
 * input_sha256 of the photos in golden/ and vectors/ once per browser that you support.
 */

import {flawOf} from './dermport-jpeg.js';

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_PIXELS = 64_000_000;
const MAX_SIDE = 30_000;
const STRIP = 256; // rows
const PNG_MAGIC = '\x89PNG\r\n\x1a\n';
const PALETTE = 3;
const CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}; // by colour type
// of each pass of an interlaced PNG: its first column and row, and the steps between columns and rows
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const PNG_COLOUR = new Set(['eXIf', 'iCCP', 'gAMA', 'cHRM', 'sRGB', 'cICP', 'mDCV', 'cLLI', 'sBIT']);
const REMEDY = 'Send a plain JPEG (iPhone: Settings > Camera > Formats > Most Compatible) or an opaque 8-bit PNG.';
const AGAIN = 'Take or choose the photo again, unedited.';
const WORDS = {
  'photo-damaged': ['The photo is damaged or incomplete.', AGAIN],
  'too-many-scans': ['The JPEG has too many scans.', 'Save it as a baseline JPEG.'],
  'unsupported-form': ['The JPEG is lossless, arithmetically coded, not of 8 bits, or sampled in an unusual way.', REMEDY],
};

/** A photo that dermport-prep/1 refuses; the codes are the server's. */
export class PhotoError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string} remedy
   */
  constructor(code, message, remedy) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

/**
 * @typedef {object} Decoded
 * @property {number} width as stored, pixels
 * @property {number} height
 * @property {number} orientation EXIF tag 274, 1 to 8
 * @property {string} kind what the decoder had to do: "png", or "jpeg-" with the colours and, if so, "-progressive"
 * @property {(left: number, top: number, width: number, height: number) => Uint8ClampedArray} read RGBA of a box
 * @property {() => void} close frees the picture's memory
 *
 * @param {Uint8Array} bytes the file
 * @returns {Promise<Decoded>}
 * @throws {PhotoError}
 */
export async function decode(bytes) {
  const {stripped, orientation, kind, alpha, rows} = strip(bytes);
  if (rows && !(await isWhole(rows))) throw damaged();
  const bitmap = await picture(stripped);
  const canvas = new OffscreenCanvas(1, 1);
  let context = null;
  const read = (left, top, width, height) => {
    if (canvas.width !== width || canvas.height < height || !context) {
      Object.assign(canvas, {width, height});
      context = canvas.getContext('2d', {willReadFrequently: true}); // by the CPU: a GPU may round
    }
    context.globalCompositeOperation = 'copy';
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  };
  const {width, height} = bitmap;
  if (alpha && !isOpaque(read, width, height)) {
    bitmap.close();
    throw unsupported('transparency');
  }
  return {width, height, orientation, kind, read, close: () => bitmap.close()};
}

/** Whether a PNG's pixels unpack to as many bytes as its header asks for: decoders take missing rows for black ones. */
async function isWhole({packed, size}) {
  const reader = new Blob(packed).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  let length = 0;
  try {
    for (let {done, value} = await reader.read(); !done && length <= size; {done, value} = await reader.read()) {
      length += value.length;
    }
  } catch {
    return false; // not in zlib's form, or its checksum is wrong
  }
  return length === size;
}

/** Whether no pixel shines through: then its colours are as stored, in any browser. */
function isOpaque(read, width, height) {
  for (let top = 0; top < height; top += STRIP) {
    const pixels = read(0, top, width, Math.min(STRIP, height - top));
    for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return false;
  }
  return true;
}

async function picture(stripped) {
  try {
    // No profile is left to convert from, and no alpha: those options would cost Chromium a second copy of all pixels.
    return await createImageBitmap(new Blob([stripped]), {imageOrientation: 'none'});
  } catch {
    throw new PhotoError('photo-damaged', 'The photo is damaged, or this browser cannot decode it.', AGAIN);
  }
}

/**
 * Checks a JPEG or PNG, and takes EXIF and colour profiles out of it.
 * @param {Uint8Array} bytes
 * @returns {{stripped: Uint8Array, orientation: number, width: number, height: number, kind: string, alpha: boolean}}
 *   `alpha`: whether there may be transparency, which only its pixels tell; of PNGs, `rows` has the packed pixels
 * @throws {PhotoError}
 */
export function strip(bytes) {
  if (!bytes.length) throw new PhotoError('empty', 'The photo is empty (0 bytes).', AGAIN);
  if (bytes.length > MAX_BYTES) {
    const message = `The photo has ${bytes.length} bytes; at most ${MAX_BYTES} are accepted.`;
    throw new PhotoError('too-many-bytes', message, 'Take a smaller photo.');
  }
  try {
    if (ascii(bytes, 0, 3) === '\xff\xd8\xff') return stripJpeg(bytes);
    if (ascii(bytes, 0, 8) === PNG_MAGIC) return stripPng(bytes);
  } catch (error) {
    throw error instanceof RangeError ? damaged() : error; // a length that leads beyond the end
  }
  throw new PhotoError('unsupported-type', 'The file is neither JPEG nor PNG.', REMEDY);
}

function stripJpeg(bytes) {
  const kept = [bytes.subarray(0, 2)];
  const found = {orientation: 0, adobe: null, frame: null};
  let at = 2;
  while (bytes[at] === 0xff && bytes[at + 1] !== 0xda) { // up to the start of scan
    const marker = bytes[at + 1];
    if (marker === 0xff) { // a fill byte
      at++;
      continue;
    }
    const end = at + 2 + view(bytes).getUint16(at + 2);
    if (end > bytes.length) throw damaged();
    note(found, marker, bytes.subarray(at + 4, end));
    if (marker !== 0xe1 && marker !== 0xe2) kept.push(bytes.subarray(at, end)); // APP1: EXIF, XMP; APP2: ICC
    at = end;
  }
  const flaw = flawOf(bytes);
  if (flaw) throw refusal(flaw);
  const stripped = join([...kept, bytes.subarray(at)]);
  return {stripped, orientation: found.orientation || 1, ...found.frame, kind: jpegKind(found), alpha: false};
}

/** Notes what a segment before the first scan says of orientation and colours. */
function note(found, marker, body) {
  if (marker === 0xe1 && ascii(body, 0, 6) === 'Exif\0\0') found.orientation ||= exifOrientation(body.subarray(6));
  if (marker === 0xee && ascii(body, 0, 5) === 'Adobe') found.adobe = body[11];
  if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) found.frame = frame(marker, body);
}

/** The JPEG's start of frame: size, and how many samples of each component there are. */
function frame(marker, body) {
  if (marker > 0xc2 || body[0] !== 8) throw refusal('unsupported-form');
  const [height, width] = [view(body).getUint16(1), view(body).getUint16(3)];
  checkPixels(width, height);
  const component = (at) => ({id: body[at], factors: body[at + 1]});
  const components = Array.from({length: body[5]}, (_, index) => component(6 + index * 3));
  return {width, height, components, progressive: marker === 0xc2};
}

/** Names the way of a JPEG's decoding: browsers that agree on one may differ on another. */
function jpegKind({frame: {components, progressive}, adobe}) {
  const ids = String.fromCharCode(...components.map(({id}) => id));
  const factors = components.map((component) => component.factors.toString(16));
  const colours = {1: 'grey', 3: adobe === 0 || (adobe === null && ids === 'RGB') ? 'rgb' : 'ycc', 4: cmykKind(adobe)};
  const sampling = components.length === 1 || new Set(factors).size === 1 ? [] : [factors.join('-')];
  const order = progressive ? ['progressive'] : [];
  return ['jpeg', colours[components.length] ?? 'other', ...sampling, ...order].join('-');
}

function cmykKind(adobe) {
  if (adobe === null) return 'cmyk-plain'; // no Adobe marker: whether it is inverted is anybody's guess
  return adobe === 2 ? 'ycck' : 'cmyk';
}

function stripPng(bytes) {
  const [width, height] = [view(bytes).getUint32(16), view(bytes).getUint32(20)];
  const colour = bytes[25];
  if (bytes[24] > 8) throw unsupported('16 bits a channel');
  checkPixels(width, height);
  const kept = [bytes.subarray(0, 8)];
  const packed = [];
  let alpha = (colour & 4) !== 0;
  let orientation = 1;
  let type = '';
  for (let at = 8; at + 12 <= bytes.length && type !== 'IEND';) {
    const end = at + 12 + view(bytes).getUint32(at);
    if (end > bytes.length) throw damaged();
    type = ascii(bytes, at + 4, at + 8);
    if (type === 'acTL' || (type === 'tRNS' && colour !== PALETTE)) throw unsupported('several frames or a key colour');
    alpha ||= type === 'tRNS';
    if (type === 'eXIf') orientation = exifOrientation(bytes.subarray(at + 8, end - 4));
    if (type === 'IDAT') packed.push(bytes.subarray(at + 8, end - 4));
    if (!PNG_COLOUR.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (type !== 'IEND') throw damaged();
  const rows = {packed, size: unpackedSize(width, height, bytes[24] * CHANNELS[colour], bytes[28])};
  return {stripped: join(kept), orientation, width, height, kind: 'png', alpha, rows};
}

/** The bytes of a PNG's rows: each begins with its filter's number, and on a whole byte. */
function unpackedSize(width, height, bits, interlaced) {
  return (interlaced ? ADAM7 : [[0, 0, 1, 1]]).reduce((sum, [left, top, right, down]) => {
    const [across, rows] = [Math.ceil((width - left) / right), Math.ceil((height - top) / down)];
    return across > 0 && rows > 0 ? sum + rows * (1 + Math.ceil(across * bits / 8)) : sum;
  }, 0);
}

function checkPixels(width, height) {
  if (!width || !height) throw damaged();
  if (width * height <= MAX_PIXELS && Math.max(width, height) <= MAX_SIDE) return;
  const bounds = `at most ${MAX_PIXELS} pixels and ${MAX_SIDE} a side are accepted`;
  throw new PhotoError('too-many-pixels', `The photo is ${width} x ${height}; ${bounds}.`, 'Take a smaller photo.');
}

function damaged() {
  return refusal('photo-damaged');
}

function refusal(code) {
  return new PhotoError(code, ...WORDS[code]);
}

function unsupported(what) {
  return new PhotoError('unsupported-form', `The PNG has ${what}.`, REMEDY);
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
