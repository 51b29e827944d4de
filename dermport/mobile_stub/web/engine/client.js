import {EngineError} from './errors.js';

/**
 * @typedef {{id: string, size: number, crop: 'full-frame'|'centre-square'}} Preprocessing as the manifest has it
 * @typedef {{code: 'too-small'|'too-dark'|'too-bright'|'blurred'|'noisy'|'over-compressed'|'no-lesion', value: number, threshold: number}} Hint
 * @typedef {object} Prepared
 * @property {Uint8Array} tensor size * size * 3 values, rows first, RGB
 * @property {string} inputSha256 of the tensor's bytes
 * @property {string} photoSha256 of the photo's bytes as they came
 * @property {number} width of the stored photo in pixels, before orientation
 * @property {number} height of the stored photo in pixels, before orientation
 * @property {number} orientation the EXIF orientation that was applied, 1 to 8
 * @property {boolean} exact whether this browser was seen to decode photos of this kind as the server does; where not,
 *     the tensor may differ from the server's by rounding of the decoder, and the page must say so
 * @property {string} kind the kind of file that `exact` is about, e.g. "jpeg-420-progressive", "png"
 * @property {Hint[]} quality what is wrong with the photo, worst first; empty: nothing was found
 * @property {Object<string, number>} values what the tensor looks like, for dermport-abstention.js
 *
 * @typedef {object} Runtime
 * @property {string} name "LiteRT.js"
 * @property {string} version
 * @property {'default'|'compat'} build of the wasm
 * @property {'wasm'|'webgpu'} accelerator
 * @property {string} why nothing faster is used, in words; empty where there is nothing to say
 * @typedef {object} SelfTest
 * @property {'pass'|'warn'} status
 * @property {string[]} reasons of a warning
 * @property {number} photos how many golden photos were asked
 * @property {number} maxChange largest |change| of a probability against the original
 * @property {number} meanChange
 * @property {number} top1Agreement share of photos with the same most probable label
 * @property {string} policy class of bounds that judged, e.g. "fp32"
 * @property {number} milliseconds of all of it
 * @typedef {object} Prediction
 * @property {Object<string, number>} probabilities by label id
 * @property {import('./activation-map.js').ActivationMap|null} map null where the model's file gives none
 * @property {number} milliseconds
 */

/** The engine, seen from the page: everything runs in a module worker, so that the page never freezes. */
export class Engine {
  #worker;
  #waiting = new Map();
  #next = 1;
  #ended = null;

  /** Use {@link Engine.start}. @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener('message', ({data}) => this.#settle(data));
    worker.addEventListener('error', (event) => this.#end(failed(event.message)));
    worker.addEventListener('messageerror', () => this.#end(failed('a message could not be read')));
  }

  /**
   * Starts the worker and has it decode a few known photos, by which it knows what this browser decodes exactly.
   * @param {string|URL} [baseURL] the folder of worker.js; the folder of this module where it is not given
   * @returns {Promise<Engine>}
   * @throws {EngineError} "engine-not-started": the worker's files could not be loaded
   */
  static async start(baseURL = new URL('./', import.meta.url)) {
    const worker = new Worker(new URL('worker.js', new URL(baseURL, globalThis.location?.href)), {type: 'module'});
    const engine = new Engine(worker);
    try {
      await engine.#ask('hello');
    } catch (error) {
      engine.close();
      throw new EngineError('engine-not-started', `The engine could not be started: ${error.message}`, RELOAD);
    }
    return engine;
  }

  /**
   * Turns a photo into the model's input as dermport-prep/1 defines.
   * @param {Blob} blob the file's own bytes, JPEG or PNG
   * @param {Preprocessing} spec
   * @returns {Promise<Prepared>}
   * @throws {EngineError} the photo is refused: codes as the server's ("unsupported-type", "too-many-pixels", ...)
   */
  prepare(blob, spec) {
    return this.#ask('prepare', [blob, spec]);
  }

  /**
   * The prepared input as the PNG that /v1/predict and /v1/comparisons take with X-Dermport-Prep.
   * @param {Uint8Array} tensor of {@link Engine#prepare}
   * @returns {Promise<Blob>} image/png
   */
  png(tensor) {
    return this.#ask('png', [tensor]);
  }

  /**
   * Loads a release and has it answer the golden photos; from then on it answers {@link Engine#predict}. Where it
   * fails, the one before goes on.
   * @param {import('./release.js').Release} release of a ModelStore
   * @param {object} [options]
   * @param {boolean} [options.webgpu] whether to try it
   * @param {number} [options.photos] how many golden photos to ask, at most: all of a new model; a few will do for one
   *     that has proved itself in this browser before
   * @param {(done: number, of: number) => void} [options.progress] of the self-test
   * @returns {Promise<{runtime: Runtime, selfTest: SelfTest}>}
   * @throws {EngineError} "self-test-failed": its answers are further from the original than the policy allows;
   *     "model-not-loaded": LiteRT refuses the file; "runtime-not-loaded": LiteRT's own files could not be loaded
   */
  load(release, {webgpu = true, photos = Infinity, progress} = {}) {
    return this.#ask('load', [release, {webgpu, photos}], progress);
  }

  /**
   * @param {Uint8Array} tensor of {@link Engine#prepare}
   * @returns {Promise<Prediction>}
   * @throws {EngineError} "no-model": nothing is loaded; "wrong-input": the tensor is not of the model's size
   */
  predict(tensor) {
    return this.#ask('predict', [tensor]);
  }

  /** Ends the worker; what is under way fails with "engine-closed". */
  close() {
    this.#worker.terminate();
    this.#end(new EngineError('engine-closed', 'The engine was closed.'));
  }

  #ask(method, args = [], progress) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {resolve, reject, progress});
      this.#worker.postMessage({id, method, args});
    });
  }

  #settle({id, result, error, progress}) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress) return void waiting.progress?.(...progress);
    this.#waiting.delete(id);
    if (error) waiting.reject(new EngineError(error.code, error.message, error.remedy));
    else waiting.resolve(result);
  }

  #end(error) {
    this.#ended ??= error;
    for (const {reject} of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

const RELOAD = 'Load the page again; if it happens again, the app on the server is incomplete.';

function failed(message) {
  const why = message || 'its script could not be loaded';
  return new EngineError('engine-failed', `The engine stopped: ${why}.`, RELOAD);
}
