import {Database} from '../engine/database.js';

const NAME = 'dermport-app';
const STORES = ['queue', 'records'];

/** One store of the page's database: things with an `id`, which stay while the browser is closed. */
export class Shelf {
  #database;
  #name;

  /** Use {@link openShelves}. @param {Database} database @param {string} name */
  constructor(database, name) {
    this.#database = database;
    this.#name = name;
  }

  /** @returns {Promise<object[]>} everything, by id */
  all() {
    return this.#database.values(this.#name);
  }

  /** @param {string} id @returns {Promise<object|undefined>} */
  get(id) {
    return this.#database.get(this.#name, id);
  }

  /** @param {{id: string}} thing takes the place of the one with its id; it is on the disk once this resolves */
  put(thing) {
    return this.#change((store) => store.put(thing, thing.id));
  }

  /** @param {string} id */
  delete(id) {
    return this.#change((store) => store.delete(id));
  }

  #change(change) {
    return this.#database.change([this.#name], (stores) => void change(stores[this.#name]));
  }
}

/**
 * @returns {Promise<{queue: Shelf, records: Shelf}>}
 * @throws {EngineError} "storage-failed": this browser keeps nothing, as in some private windows
 */
export async function openShelves() {
  const database = await Database.open(NAME, STORES);
  const [queue, records] = STORES.map((name) => new Shelf(database, name));
  return {queue, records};
}
