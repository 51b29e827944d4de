/** @file The API key that the reader typed: it lives as long as the tab does, and goes nowhere but to this server. */

const NAME = 'dermport-dashboard-key';

/** Keeps the key. */
export class Key {
  /** @param {Storage} [storage] where it is kept; a browser that refuses that keeps it in memory. */
  constructor(storage = storageOf()) {
    this._storage = storage;
    this._value = storage?.getItem(NAME) ?? null;
  }

  /** The key, or null. @returns {?string} */
  get value() {
    return this._value;
  }

  /** Keep a key. @param {string} text as it was typed. */
  keep(text) {
    this._value = text.trim();
    this._storage?.setItem(NAME, this._value);
  }

  /** Forget the key. */
  forget() {
    this._value = null;
    this._storage?.removeItem(NAME);
  }
}

function storageOf() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // blocked by the browser's settings
  }
}
