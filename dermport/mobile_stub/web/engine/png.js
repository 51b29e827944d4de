const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const TABLE = Uint32Array.from({length: 256}, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/**
 * Writes pixels as a PNG without alpha or colour profile: a canvas' own encoder promises neither.
 * @param {Uint8Array} pixels RGB, rows first
 * @param {number} width
 * @returns {Promise<Blob>} image/png
 */
export async function encodePng(pixels, width) {
  const height = pixels.length / (width * 3);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 2], 8); // 8 bits a channel, RGB
  const data = await zlib(filtered(pixels, width * 3));
  const chunks = [chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', new Uint8Array(0))];
  return new Blob([Uint8Array.from(SIGNATURE), ...chunks], {type: 'image/png'});
}

/** Each row as its difference to the row above ("Up"), which compresses photos well enough. */
function filtered(pixels, line) {
  const rows = pixels.length / line;
  const result = new Uint8Array(rows * (line + 1));
  for (let row = 0; row < rows; row++) {
    result[row * (line + 1)] = 2;
    for (let at = 0; at < line; at++) {
      const above = row ? pixels[(row - 1) * line + at] : 0;
      result[row * (line + 1) + 1 + at] = pixels[row * line + at] - above;
    }
  }
  return result;
}

async function zlib(bytes) {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

function chunk(type, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(Array.from(type, (letter) => letter.charCodeAt(0)), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

function crc32(bytes) {
  return (bytes.reduce((crc, byte) => TABLE[(crc ^ byte) & 255] ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
}
