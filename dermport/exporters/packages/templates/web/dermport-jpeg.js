/**
 * Whether a JPEG is whole: dermport-prep/1 refuses damaged ones, and a browser's decoder fills in what is missing.
 *
 * Walks the segments and the entropy-coded data (ITU-T T.81, annexes B, F and G) without making pixels of them: each scan
 * must hold exactly the blocks that its frame asks for, and all scans together every bit of every coefficient.
 */

const MAX_SCANS = 64;
const MAX_SCANNED_PIXELS = 768_000_000;
const MAX_SEGMENTS = 4096;
const ALL_ALIKE = new Set([0x11, 0x12, 0x21, 0x13, 0x31]); // sampling factors, where all components have the same
const LUMA = new Set([0x11, 0x12, 0x21, 0x22, 0x41]); // of the first component, where the others have 1 x 1
const UNSENT = 14; // bits: more than a coefficient has

class Flaw extends Error {}

/**
 * @param {Uint8Array} bytes of a file that begins as a JPEG does
 * @returns {string} the code by which dermport-prep/1 refuses it, or an empty string
 */
export function flawOf(bytes) {
  try {
    new Walk(bytes).run();
  } catch (error) {
    if (error instanceof Flaw) return error.message;
    throw error;
  }
  return '';
}

function check(isSound, code = 'photo-damaged') {
  if (!isSound) throw new Flaw(code);
}

class Walk {
  #frame = null;
  #tables = new Map(); // Huffman tables by class and number
  #interval = 0;
  #scans = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  run() {
    const {bytes} = this;
    let at = 2;
    for (let segments = 0; ; segments++) {
      check(segments < MAX_SEGMENTS, 'unsupported-form');
      check(bytes[at] === 0xff);
      while (bytes[at] === 0xff) at++; // any number of fill bytes
      const marker = bytes[at];
      if (marker === 0xd9) break;
      const known = marker >= 0xc0 && (marker < 0xd0 || marker > 0xd8);
      const [start, end] = [at + 3, at + 1 + (bytes[at + 1] << 8 | bytes[at + 2])];
      check(known && end >= start && end < bytes.length);
      this.#read(marker, bytes.subarray(start, end));
      at = marker === 0xda ? this.#scan(bytes.subarray(start, end), end) : end;
    }
    check(this.#scans > 0 && this.#frame.components.every(({bits}) => bits.every((left) => left === 0)));
  }

  #read(marker, body) {
    if (marker === 0xc4) this.#huffman(body);
    else if (marker === 0xdd) this.#interval = body[0] << 8 | body[1];
    else if (marker >= 0xc0 && marker <= 0xc2) this.#begin(marker, body);
    else check(marker > 0xcf && marker !== 0xde && marker !== 0xdf, 'unsupported-form'); // T.81, table B.1
  }

  #begin(marker, body) {
    check(!this.#frame);
    check(body[0] === 8 && [1, 3, 4].includes(body[5]), 'unsupported-form');
    const [height, width] = [body[1] << 8 | body[2], body[3] << 8 | body[4]];
    check(width && height);
    const components = Array.from({length: body[5]}, (_, index) => {
      const [id, factors] = body.subarray(6 + 3 * index);
      return {id, factors, across: factors >> 4, down: factors & 15, bits: new Uint8Array(64).fill(UNSENT)};
    });
    check(isSampledAsUsual(components.map(({factors}) => factors)), 'unsupported-form');
    this.#frame = {width, height, components, progressive: marker === 0xc2};
    if (components.length === 1) Object.assign(components[0], {across: 1, down: 1});
    const [across, down] = ['across', 'down'].map((side) => Math.max(...components.map((one) => one[side])));
    Object.assign(this.#frame, {columns: Math.ceil(width / 8 / across), rows: Math.ceil(height / 8 / down)});
    for (const one of components) {
      one.width = Math.ceil(width * one.across / across / 8); // in blocks, without those that fill up the last MCU
      one.height = Math.ceil(height * one.down / down / 8);
      one.stride = this.#frame.columns * one.across;
      const blocks = marker === 0xc2 ? one.stride * this.#frame.rows * one.down : 0;
      one.known = new Uint32Array(2 * blocks); // a bit for each coefficient that is not 0
    }
  }

  /** Makes a table of each code: at every 16 bits that begin with it, its length and symbol. */
  #huffman(body) {
    for (let at = 0; at < body.length;) {
      const lookup = new Uint16Array(65_536);
      const counts = body.subarray(at + 1, at + 17);
      let [symbol, code] = [at + 17, 0];
      counts.forEach((count, index) => {
        const step = 32_768 >> index;
        for (let nth = 0; nth < count; nth++, code += step) {
          check(symbol < body.length && code + step <= 65_536);
          lookup.fill(index + 1 << 8 | body[symbol++], code, code + step);
        }
      });
      check(counts.length === 16);
      this.#tables.set(body[at], lookup);
      at = symbol;
    }
  }

  /** Walks through a scan; its end is where the next marker begins. */
  #scan(head, start) {
    check(this.#frame);
    const {width, height, components, progressive} = this.#frame;
    check(++this.#scans <= MAX_SCANS && this.#scans * width * height <= MAX_SCANNED_PIXELS, 'too-many-scans');
    const [first, last, approximation] = head.subarray(1 + 2 * head[0]);
    const [before, after] = [approximation >> 4, approximation & 15];
    const parts = Array.from({length: head[0]}, (_, index) => {
      const part = components.find(({id}) => id === head[1 + 2 * index]);
      check(part);
      const tables = head[2 + 2 * index];
      return {...part, dc: this.#tables.get(tables >> 4), ac: this.#tables.get(16 | tables & 15)};
    });
    check(parts.length && head.length === 4 + 2 * parts.length && new Set(parts.map(({id}) => id)).size === parts.length);
    check(progressive ? (first ? parts.length === 1 && first <= last && last < 64 : last === 0)
      : first === 0 && last === 63 && approximation === 0);
    for (const {bits} of parts) {
      check(!first || bits[0] !== UNSENT);
      check(!progressive || bits.subarray(first, last + 1).every((left) => left === (before || UNSENT)));
      check(!before || after === before - 1);
      bits.fill(after, first, last + 1);
    }
    const block = progressive ? progressiveBlock(first, last, before) : sequentialBlock;
    return this.#blocks(parts, block, start);
  }

  /** Walks through the blocks of a scan, restart by restart. */
  #blocks(parts, block, start) {
    const alone = parts.length === 1;
    const [columns, rows] = alone ? [parts[0].width, parts[0].height] : [this.#frame.columns, this.#frame.rows];
    const units = columns * rows;
    const interval = this.#interval || units;
    let at = start;
    for (let unit = 0, restart = 0; unit < units; unit += interval, restart++) {
      if (restart) {
        check(this.bytes[at] === 0xff && this.bytes[at + 1] === (0xd0 | restart - 1 & 7));
        at += 2;
      }
      const bits = new Bits(this.bytes, at);
      for (let one = unit; one < Math.min(units, unit + interval); one++) {
        const [column, row] = [one % columns, Math.floor(one / columns)];
        for (const part of parts) {
          const [across, down] = alone ? [1, 1] : [part.across, part.down];
          for (let y = 0; y < down; y++) {
            for (let x = 0; x < across; x++) block(bits, part, (row * down + y) * part.stride + column * across + x);
          }
        }
        check(bits.left >= 0);
      }
      check(bits.left < 8);
      at = bits.end;
    }
    return at;
  }
}

/** The bits from a place up to the next marker. */
class Bits {
  run = 0; // how many more blocks have ended already (EOBRUN)
  #data;
  #at = 0;

  constructor(bytes, start) {
    let end = start;
    const isInside = () => bytes[end + 1] === 0 || (bytes[end + 1] === 0xff && end + 2 < bytes.length);
    for (end = bytes.indexOf(0xff, end); end >= 0 && isInside(); end = bytes.indexOf(0xff, end + 1));
    check(end >= 0);
    this.end = end;
    this.#data = new Uint8Array(end - start + 4);
    let length = 0;
    for (let at = start; at < end; at++) {
      if (bytes[at] === 0xff && bytes[at + 1] === 0xff) continue; // a fill byte
      this.#data[length++] = bytes[at];
      if (bytes[at] === 0xff) at++; // a stuffed byte
    }
    this.size = 8 * length;
  }

  get left() {
    return this.size - this.#at;
  }

  skip(count) {
    this.#at += count;
  }

  read(count) {
    const bits = this.#peek() >> 16 - count;
    this.#at += count;
    return bits;
  }

  symbol(table) {
    const found = table[this.#peek()];
    check(found);
    this.#at += found >> 8;
    return found & 255;
  }

  #peek() {
    const [at, data] = [this.#at >> 3, this.#data];
    return (data[at] << 16 | data[at + 1] << 8 | data[at + 2]) >> 8 - (this.#at & 7) & 0xffff;
  }
}

function sequentialBlock(bits, {dc, ac}) {
  check(dc && ac);
  bits.skip(bits.symbol(dc));
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(ac);
    const [zeros, size] = [symbol >> 4, symbol & 15];
    if (!size && zeros < 15) return;
    k += zeros;
    check(k < 64 || !size);
    bits.skip(size);
  }
}

/** T.81, annex G: how a scan of a progressive JPEG codes a block. */
function progressiveBlock(first, last, before) {
  if (!first) return before ? (bits) => bits.skip(1) : (bits, {dc}) => (check(dc), bits.skip(bits.symbol(dc)));
  return before ? (bits, part, at) => refine(bits, part, at, first, last) : (bits, part, at) => begin(bits, part, at, first, last);
}

function begin(bits, {ac, known}, block, first, last) {
  check(ac);
  if (bits.run) return void bits.run--;
  for (let k = first; k <= last; k++) {
    const symbol = bits.symbol(ac);
    const [zeros, size] = [symbol >> 4, symbol & 15];
    if (!size && zeros < 15) return void (bits.run = (1 << zeros) + bits.read(zeros) - 1);
    k += zeros;
    check(k <= last || !size);
    if (size) known[2 * block + (k >> 5)] |= 1 << (k & 31);
    bits.skip(size);
  }
}

function refine(bits, {ac, known}, block, first, last) {
  check(ac);
  const isKnown = (k) => known[2 * block + (k >> 5)] >>> (k & 31) & 1;
  let k = first;
  for (; !bits.run && k <= last; k++) {
    const symbol = bits.symbol(ac);
    const size = symbol & 15;
    let zeros = symbol >> 4;
    check(size < 2);
    if (!size && zeros < 15) {
      bits.run = (1 << zeros) + bits.read(zeros);
      break;
    }
    bits.skip(size); // the sign
    for (; k <= last; k++) {
      if (isKnown(k)) bits.skip(1); // one more bit of a coefficient that is known
      else if (--zeros < 0) break;
    }
    check(k <= last || !size);
    if (size) known[2 * block + (k >> 5)] |= 1 << (k & 31);
  }
  if (!bits.run) return;
  for (; k <= last; k++) bits.skip(isKnown(k));
  bits.run--;
}

function isSampledAsUsual([luma, ...others]) {
  if (others.every((one) => one === luma)) return !others.length || ALL_ALIKE.has(luma);
  if (others.length === 3 && others[2] !== luma) return false; // a CMYK's black is as fine as its first component
  const [chroma, other] = others;
  return chroma === other && (chroma === 0x11 ? LUMA.has(luma) : luma === 0x22 && (chroma === 0x12 || chroma === 0x21));
}
