const NAME = 'dermport-app';
const STORES = ['queue', 'records'];

/** One store of the page's database: things with an `id`, which stay while the browser is closed. */
export class Shelf {
  #database;
  #name;

  /** Use {@link openShelves}. @param {IDBDatabase} database @param {string} name */
  constructor(database, name) {
    this.#database = database;
    this.#name = name;
  }

  /** @returns {Promise<object[]>} everything, by id */
  all() {
    return this.#ask('readonly', (store) => store.getAll());
  }

  /** @param {string} id @returns {Promise<object|undefined>} */
  get(id) {
    return this.#ask('readonly', (store) => store.get(id));
  }

  /** @param {{id: string}} thing takes the place of the one with its id */
  put(thing) {
    return this.#ask('readwrite', (store) => store.put(thing));
  }

  /** @param {string} id */
  delete(id) {
    return this.#ask('readwrite', (store) => store.delete(id));
  }

  /** Removes everything. */
  clear() {
    return this.#ask('readwrite', (store) => store.clear());
  }

  #ask(mode, question) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(this.#name, mode);
      const request = question(transaction.objectStore(this.#name));
      transaction.addEventListener('complete', () => resolve(request.result)); // it is on the disk only then
      transaction.addEventListener('error', () => reject(transaction.error));
      transaction.addEventListener('abort', () => reject(transaction.error));
    });
  }
}

/**
 * @returns {Promise<{queue: Shelf, records: Shelf}>}
 * @throws {DOMException} this browser keeps nothing, as in some private windows
 */
export async function openShelves() {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.addEventListener('upgradeneeded', () => {
      for (const name of STORES) request.result.createObjectStore(name, {keyPath: 'id'});
    });
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error));
  });
  const [queue, records] = STORES.map((name) => new Shelf(database, name));
  return {queue, records};
}
