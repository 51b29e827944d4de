import {sha256} from '@noble/hashes/sha2.js';
import {bytesToHex} from '@noble/hashes/utils.js';

/**
 * crypto.subtle is absent on plain http, where a clinic's Jetson often is; this needs nothing of the browser.
 * @param {Uint8Array} bytes
 * @returns {string} 64 hexadecimal digits
 */
export function sha256Hex(bytes) {
  return bytesToHex(sha256(bytes));
}

const PIECE = 1 << 19; // bytes: some milliseconds on a phone

/**
 * The same of many bytes, in pieces, so that a page can draw between them.
 * @param {Uint8Array} bytes
 * @returns {Promise<string>}
 */
export async function sha256InPieces(bytes) {
  const hash = sha256.create();
  for (let at = 0; at < bytes.length; at += PIECE) {
    hash.update(bytes.subarray(at, at + PIECE));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return bytesToHex(hash.digest());
}
