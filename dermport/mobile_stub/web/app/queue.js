import {JetsonError} from './jetson.js';

const PATIENCE = [2, 5, 10, 20, 30]; // seconds between attempts
const LOCK = 'dermport-queue';

/**
 * @typedef {object} Waiting
 * @property {string} id of the comparison on this phone; its idempotency key
 * @property {string} created ISO 8601
 * @property {object} said a ComparisonRequest
 * @property {{field: 'photo'|'prepared', blob: Blob}[]} files what is sent with it
 */

/**
 * Comparisons on their way to the Jetson. Each is on the disk before it is sent, and has an idempotency key: whatever
 * ends in between, it is counted once. Fires "answered" and "refused" ({id, answer | error, milliseconds}), "change".
 */
export class Queue extends EventTarget {
  #store;
  #jetson;
  #flushing = null;
  #timer = 0;
  #failures = 0;

  /** @param {import('../engine/database.js').ObjectStore} store @param {import('./jetson.js').Jetson} jetson */
  constructor(store, jetson) {
    super();
    this.#store = store;
    this.#jetson = jetson;
  }

  /** Sends what waits now, and from now on whenever the Jetson may be back. */
  start() {
    this.#jetson.addEventListener('state', () => this.#jetson.state === 'reachable' && this.flush());
    return this.flush();
  }

  /** @returns {Promise<number>} how many wait */
  async count() {
    return (await this.#store.all()).length;
  }

  /** Keeps a comparison, and sends it as soon as that can be. @param {Waiting} waiting */
  async add(waiting) {
    await this.#store.put(waiting);
    this.#changed();
    this.flush();
  }

  /** Takes a comparison back that was not sent yet. @param {string} id */
  async remove(id) {
    await this.#store.delete(id);
    this.#changed();
  }

  /** Sends everything that waits, oldest first; two calls at a time, or two windows, are one. */
  flush() {
    clearTimeout(this.#timer);
    this.#flushing ??= alone(() => this.#sendAll()).finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  async #sendAll() {
    for (let next = await this.#oldest(); next; next = await this.#oldest()) {
      if (!(await this.#send(next))) {
        this.#later();
        return;
      }
      this.#failures = 0;
    }
  }

  async #oldest() {
    return (await this.#store.all()).sort((one, other) => one.created.localeCompare(other.created))[0];
  }

  /** @returns {Promise<boolean>} whether it is done with */
  async #send(waiting) {
    const began = performance.now();
    try {
      const answer = await this.#jetson.compare(formOf(waiting), waiting.id);
      await this.#done('answered', {id: waiting.id, answer, milliseconds: performance.now() - began});
      return true;
    } catch (error) {
      if (!(error instanceof JetsonError)) throw error;
      if (error.kind !== 'refused') return false;
      await this.#done('refused', {id: waiting.id, error});
      return true;
    }
  }

  async #done(type, detail) {
    await this.#store.delete(detail.id);
    this.dispatchEvent(new CustomEvent(type, {detail}));
    this.#changed();
  }

  #later() {
    const seconds = PATIENCE[Math.min(this.#failures++, PATIENCE.length - 1)];
    this.#timer = setTimeout(() => this.flush(), seconds * 1000);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

function formOf({said, files}) {
  const form = new FormData();
  form.append('comparison', new Blob([JSON.stringify(said)], {type: 'application/json'}), 'comparison.json');
  for (const {field, blob} of files) form.append(field, blob, field); // a file's own name may name a patient
  return form;
}

/** Runs `work` in one window at a time, where the browser can tell; the server's key does the rest. */
function alone(work) {
  return navigator.locks ? navigator.locks.request(LOCK, work) : work();
}
