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

/** The same over bytes that come in pieces. */
export class Sha256 {
  #state = sha256.create();

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#state.update(bytes);
    return this;
  }

  /** @returns {string} of all that was given; no more can be added */
  hex() {
    return bytesToHex(this.#state.digest());
  }
}
