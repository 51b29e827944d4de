import {Engine} from '../engine/client.js';
import {ModelStore} from '../engine/store.js';
import {JetsonError} from './jetson.js';

/** This app's version, as the server's roll-outs and comparisons have it. */
export const APP_VERSION = '0.1.0';
/** The forms of a model that run in a browser, the smallest first. */
export const PRECISIONS = Object.freeze(['int8', 'fp16', 'fp32']);

/**
 * The model on this phone: kept, proved, updated and rolled back. Fires "change".
 */
export class PhoneModel extends EventTarget {
  #jetson;
  #settings;
  #engine = null;
  #store = null;
  #loaded = null; // what the engine answers with; `release` is what the store has
  #turn = Promise.resolve();

  /** @type {'starting'|'fetching'|'testing'|'ready'|'missing'|'failed'} */
  state = 'starting';
  /** @type {import('../engine/release.js').Release|null} */
  release = null;
  /** @type {{runtime: object, selfTest: object}|null} */
  proof = null;
  /** @type {Error|null} why there is no model, or no newer one */
  error = null;

  /** @param {import('./jetson.js').Jetson} jetson @param {import('./settings.js').Settings} settings */
  constructor(jetson, settings) {
    super();
    this.#jetson = jetson;
    this.#settings = settings;
  }

  /** Starts the engine with the model that the phone has, and asks the Jetson for a newer one behind it. */
  async start() {
    try {
      this.#engine = await Engine.start();
      this.#store = await ModelStore.open({prove: (release) => this.#prove(release)});
      await this.#startKept();
    } catch (error) {
      this.#say('failed', error);
      return;
    }
    await this.update();
  }

  /**
   * Asks the Jetson which model this phone should have; whatever fails, the one in use stays.
   * @param {{allowOlder?: boolean}} [options]
   * @returns {Promise<object|null>} what the store says of it; null where it failed, and `error` says why
   */
  async update({allowOlder = false} = {}) {
    if (!this.#store) return null;
    if (!this.release) this.#say('fetching');
    try {
      const update = await this.#fetch(allowOlder);
      if (update.changed || update.renewed || !this.release) await this.#use(await this.#store.current());
      this.#say(this.release ? 'ready' : 'missing');
      return update;
    } catch (error) {
      await this.#use(this.release);
      this.#say(this.release ? 'ready' : 'missing', this.#jetson.state === 'key' ? new JetsonError('key') : error);
      return null;
    }
  }

  /** Goes back to the model before, or from there back again. */
  async rollBack() {
    try {
      await this.#use(await this.#store.rollBack());
      this.#say('ready');
    } catch (error) {
      await this.#use(this.release);
      this.#say(this.release ? 'ready' : 'missing', error);
    }
  }

  /** @returns {Promise<void>} resolves once there is a model; rejects where there is none and none is on its way */
  ready() {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.state === 'ready') resolve();
        else if (this.state === 'missing' || this.state === 'failed') reject(this.error);
        else this.addEventListener('change', look, {once: true});
      };
      look();
    });
  }

  /** @returns {string[]} the files of the app that this browser needs to run the model */
  get files() {
    const build = this.proof?.runtime.build === 'compat' ? 'litert_wasm_compat_internal' : 'litert_wasm_internal';
    return this.proof ? ['index.js', `${build}.js`, `${build}.wasm`].map((name) => `vendor/litert/${name}`) : [];
  }

  /** @param {Blob} photo @returns {Promise<import('../engine/client.js').Prepared>} */
  prepare(photo) {
    return this.#engine.prepare(photo, this.release.manifest.preprocessing);
  }

  /** @param {Uint8Array} tensor @returns {Promise<Blob>} */
  png(tensor) {
    return this.#engine.png(tensor);
  }

  /**
   * @param {Uint8Array} tensor
   * @returns {Promise<import('../engine/client.js').Prediction & {release: object, runtime: object}>}
   */
  predict(tensor) {
    return this.#alone(async () => {
      const answer = await this.#engine.predict(tensor);
      return {...answer, release: this.#loaded, runtime: this.proof.runtime};
    });
  }

  /** @returns {Promise<string>} the pseudonym of this phone: the user's, else the one that the store drew */
  async device() {
    return this.#settings.values.device || (await this.#store.device());
  }

  /** @returns {Promise<string|null>} the id of the server's key that this phone trusts */
  async keyId() {
    return this.#store ? this.#store.keyId() : null;
  }

  /** Trusts the key that the server has now. @returns {Promise<string>} its id */
  trust() {
    return this.#store.trust(this.#jetson);
  }

  /** @returns {Promise<boolean>} whether there is a model to go back to */
  async hasPrevious() {
    return Boolean(this.#store && (await this.#store.previous()));
  }

  async #startKept() {
    const kept = await this.#store.current();
    if (!kept) return;
    this.#say('testing');
    try {
      await this.#use(kept);
    } catch (error) {
      await this.#use(await this.#store.rollBack().catch(() => { throw error; }));
    }
    this.#say('ready');
  }

  /** In the precision that the user wants; a phone without any model takes whatever there is. */
  async #fetch(allowOlder) {
    const {precision: wanted} = this.#settings.values;
    const others = this.release ? [] : PRECISIONS.filter((one) => one !== wanted);
    let missing;
    for (const precision of [wanted, ...others]) {
      try {
        return await this.#store.update(this.#jetson, {precision, appVersion: APP_VERSION, allowOlder});
      } catch (error) {
        if (error.code !== 'no-artifact') throw error;
        missing ??= error;
      }
    }
    throw missing;
  }

  /** Has the engine answer with `release`, which it mostly does already. */
  async #use(release) {
    if (release && !(this.#loaded && isSame(this.#loaded, release))) await this.#prove(release);
    this.release = release;
  }

  /** One thing at a time: a prediction is of the model that it names. */
  #prove(release) {
    return this.#alone(async () => {
      this.proof = await this.#engine.load(release);
      this.#loaded = release;
      return this.proof;
    });
  }

  #alone(work) {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  #say(state, error = null) {
    this.state = state;
    this.error = error;
    this.dispatchEvent(new Event('change'));
  }
}

function isSame(one, other) {
  const names = ({manifest, artifact}) => [manifest.name, manifest.version, manifest.sha256, artifact.sha256].join();
  return names(one) === names(other);
}
