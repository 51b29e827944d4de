import {EngineError} from './errors.js';

const REMEDY = 'Free some storage on this phone, or leave the private window: some browsers store nothing there.';

/** IndexedDB, which is there on plain http too, as promises. */
export class Database {
  #db;

  /** Use {@link Database.open}. @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /**
   * @param {string} name
   * @param {string[]} stores made at the first time
   * @returns {Promise<Database>}
   * @throws {EngineError} "storage-failed"
   */
  static async open(name, stores) {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => stores.forEach((store) => request.result.createObjectStore(store));
      return new Database(await finished(request));
    } catch (error) {
      throw failed(error);
    }
  }

  /** @returns {Promise<any>} the value of a key, or undefined */
  get(store, key) {
    return this.#run([store], 'readonly', (stores) => finished(stores[store].get(key)));
  }

  /** @returns {Promise<any[]>} the keys of a store, in order */
  keys(store) {
    return this.#run([store], 'readonly', (stores) => finished(stores[store].getAllKeys()));
  }

  /** @returns {Promise<any[]>} the values of a range of keys, in the keys' order */
  values(store, range) {
    return this.#run([store], 'readonly', (stores) => finished(stores[store].getAll(range)));
  }

  /**
   * Changes several things at once: all of them are stored, or none.
   * @param {string[]} names of the stores
   * @param {(stores: Object<string, IDBObjectStore>) => void} change asks for the changes, and awaits nothing
   * @throws {EngineError} "storage-failed"
   */
  change(names, change) {
    return this.#run(names, 'readwrite', change);
  }

  close() {
    this.#db.close();
  }

  async #run(names, mode, work) {
    try {
      const transaction = this.#db.transaction(names, mode);
      const ended = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error ?? new Error('the storage is full'));
      });
      ended.catch(() => {}); // `work` may fail first, and is awaited first
      const result = await work(Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)])));
      await ended;
      return result;
    } catch (error) {
      throw failed(error);
    }
  }
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function failed(error) {
  return new EngineError('storage-failed', `This browser cannot store models: ${error?.message || error}`, REMEDY);
}
