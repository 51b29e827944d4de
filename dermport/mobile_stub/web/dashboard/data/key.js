/** @file The API key that the reader typed: it lives as long as the tab does, and goes nowhere but to this server. */

const NAME = 'dermport-dashboard-key';

/** Keeps the key. */
export class Key {
  #storage;
  #value;

  /** @param {Storage} [storage] where it is kept; a browser that refuses that keeps it in memory. */
  constructor(storage = storageOf()) {
    this.#storage = storage;
    this.#value = storage?.getItem(NAME) ?? null;
  }

  /** The key, or null. @returns {?string} */
  get value() {
    return this.#value;
  }

  /** Keep a key. @param {string} text as it was typed. */
  keep(text) {
    this.#value = text.trim();
    this.#storage?.setItem(NAME, this.#value);
  }

  /** Forget the key. */
  forget() {
    this.#value = null;
    this.#storage?.removeItem(NAME);
  }
}

function storageOf() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // blocked by the browser's settings
  }
}
