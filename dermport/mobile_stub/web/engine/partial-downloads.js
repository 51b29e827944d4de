/** What has arrived of files that are under way, so that a download goes on where the page was closed. */
export class PartialDownloads {
  #database;
  #store;

  /**
   * @param {import('./database.js').Database} database
   * @param {string} store of it
   */
  constructor(database, store) {
    this.#database = database;
    this.#store = store;
  }

  /**
   * @param {string} sha256 of the whole file
   * @param {number} bytes of the whole file
   * @returns {Promise<PartialDownload>}
   */
  async open(sha256, bytes) {
    const values = await this.#database.values(this.#store, rangeOf(sha256));
    const arrived = new PartialDownload(this.#database, this.#store, sha256, bytes);
    values.forEach((value) => arrived.remember(value));
    return arrived;
  }
}

const SAVED = 1 << 20; // bytes that are written at once

/** One file on its way. */
class PartialDownload {
  #database;
  #store;
  #sha256;
  #bytes;
  #stored = 0;
  /** How many bytes have arrived. */
  length = 0;

  constructor(database, store, sha256, bytes) {
    this.#database = database;
    this.#store = store;
    this.#sha256 = sha256;
    this.#bytes = new Uint8Array(bytes);
  }

  /** Takes what an earlier attempt has stored. */
  remember(value) {
    this.#bytes.set(value, this.length);
    this.length += value.length;
    this.#stored = this.length;
  }

  /** @param {Uint8Array} value what came next; what is beyond the file's length is counted and not kept */
  async add(value) {
    this.#bytes.set(value.subarray(0, Math.max(0, this.#bytes.length - this.length)), this.length);
    this.length += value.length;
    if (this.length - this.#stored < SAVED) return;
    const [from, data] = [this.#stored, this.#bytes.slice(this.#stored, this.length)];
    this.#stored = this.length;
    await this.#database.change([this.#store], (stores) => stores[this.#store].put(data, [this.#sha256, from]));
  }

  async forget() {
    this.length = 0;
    this.#stored = 0;
    await this.#database.change([this.#store], (stores) => stores[this.#store].delete(rangeOf(this.#sha256)));
  }

  /** @returns {Uint8Array} the file, not yet checked */
  whole() {
    return this.#bytes;
  }
}

function rangeOf(sha256) {
  return IDBKeyRange.bound([sha256, 0], [sha256, Infinity]);
}
