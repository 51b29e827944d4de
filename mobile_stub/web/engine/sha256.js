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
