import {openDB} from 'idb';
import {EngineError} from './errors.js';

const REMEDY = 'Free some storage on this phone, or leave the private window: some browsers store nothing there.';

/** IndexedDB, which is there on plain http too; every method rejects with the {@link EngineError} "storage-failed". */
export class Database {
  #db;

  /** Use {@link Database.open}. @param {import('idb').IDBPDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /**
   * @param {string} name
   * @param {string[]} stores made at the first time
   * @returns {Promise<Database>}
   */
  static async open(name, stores) {
    const upgrade = (db) => stores.forEach((store) => db.createObjectStore(store));
    return new Database(await stored(() => openDB(name, 1, {upgrade})));
  }

  /** @param {string} name @returns {ObjectStore} one of the stores, of things with an `id` */
  store(name) {
    return new ObjectStore(this, name);
  }

  /** @returns {Promise<any>} the value of a key, or undefined */
  get(store, key) {
    return stored(() => this.#db.get(store, key));
  }

  /** @returns {Promise<any[]>} the keys of a store, in order */
  keys(store) {
    return stored(() => this.#db.getAllKeys(store));
  }

  /** @returns {Promise<any[]>} the values of a range of keys, in the keys' order */
  values(store, range) {
    return stored(() => this.#db.getAll(store, range));
  }

  /**
   * Changes several things at once: all of them are stored, or none.
   * @param {string[]} names of the stores
   * @param {(stores: Object<string, import('idb').IDBPObjectStore>) => Promise<any>|Promise<any>[]} change returns what
   *     it asks for, and awaits nothing
   */
  change(names, change) {
    return stored(() => this.#change(names, change));
  }

  async #change(names, change) {
    const transaction = this.#db.transaction(names, 'readwrite');
    const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
    await Promise.all([change(stores), transaction.done].flat());
  }
}

/** Things by their `id`, which stay while the browser is closed; see {@link Database#store}. */
class ObjectStore {
  #database;
  #name;

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
    return this.#database.change([this.#name], (stores) => change(stores[this.#name]));
  }
}

async function stored(work) {
  try {
    return await work();
  } catch (error) {
    throw new EngineError('storage-failed', `This browser cannot store models: ${error?.message || error}`, REMEDY);
  }
}
