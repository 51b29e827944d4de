import {EngineError} from './errors.js';
import {sha256InPieces} from './sha256.js';

const TRIES = 4; // attempts in a row in which nothing arrives
const AGAIN = 'Try again when the Jetson can be reached; what has arrived is kept.';

/**
 * @typedef {{fetch: (path: string, init?: RequestInit) => Promise<Response>}} Jetson adds address and key to a path
 */

/** The server's answers about models. */
export class ReleaseClient {
  #jetson;
  #wait;

  /**
   * @param {Jetson} jetson
   * @param {(milliseconds: number) => Promise<void>} [wait] between two attempts
   */
  constructor(jetson, wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))) {
    this.#jetson = jetson;
    this.#wait = wait;
  }

  /** @returns {Promise<{name: string, version: string, sha256: string, reason: string, why: string}>} which version */
  async latest({device, appVersion, current}) {
    const asked = Object.entries({platform: 'web', device, app_version: appVersion, current});
    const query = new URLSearchParams(asked.filter(([, value]) => value));
    return (await this.#ask(`/v1/models/latest?${query}`)).json();
  }

  /** @returns {Promise<string>} base64 of the public key to pin: the root key, or the one key of an older server */
  async keyToPin() {
    const {root, raw} = await (await this.#ask('/v1/signing-key')).json();
    return root?.raw ?? raw;
  }

  /** @param {number} after the newest that is known, or 0 @returns {Promise<object[]>} the signed roots that follow */
  async roots(after) {
    const response = await this.#ask(`/v1/roots?after=${after}`, {}, [404]);
    return response.ok ? (await response.json()).roots : []; // an older server has none
  }

  /** @returns {Promise<string>} the signed envelope, JSON */
  async manifest({name, version}) {
    return (await this.#ask(`/v1/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}/manifest`)).text();
  }

  /**
   * Fetches a listed file, going on where an earlier attempt ended.
   * @param {object} manifest
   * @param {{path: string, bytes: number, sha256: string}} listed
   * @param {import('./partial-downloads.js').PartialDownloads} parts keeps what has arrived
   * @param {(bytes: number) => void} progress
   * @returns {Promise<Uint8Array>}
   * @throws {EngineError} "damaged-file": what arrived is not the listed file; "offline"; "refused"
   */
  async file(manifest, listed, parts, progress) {
    const path = listed.path.split('/').map(encodeURIComponent).join('/');
    const url = `/v1/models/${manifest.name}/${manifest.version}/files/${path}?sha256=${listed.sha256}`;
    const arrived = await parts.open(listed.sha256, listed.bytes);
    for (let tries = 0; arrived.length < listed.bytes;) {
      const before = arrived.length;
      const failure = await this.#attempt(url, listed, arrived, progress);
      tries = arrived.length > before ? 0 : tries + 1;
      if (tries === TRIES) throw failure ?? tooLittle(listed);
      if (failure) await this.#wait(500 * 2 ** tries);
    }
    const bytes = arrived.whole();
    if (arrived.length === listed.bytes && (await sha256InPieces(bytes)) === listed.sha256) return bytes;
    await arrived.forget();
    throw new EngineError(
      'damaged-file',
      `${listed.path} is not the file that the signed manifest lists.`,
      'It was changed on the way, or on the server. The model that was there is untouched.',
    );
  }

  /** Fetches what is missing; returns what broke the connection, if anything did. */
  async #attempt(url, listed, arrived, progress) {
    const have = arrived.length;
    const headers = have ? {Range: `bytes=${have}-`, 'If-Range': `"${listed.sha256}"`} : {};
    try {
      const response = await this.#ask(url, {headers, cache: 'no-store'});
      if (have && !goesOnAt(response, have)) await arrived.forget();
      for (const reader = response.body.getReader(); arrived.length <= listed.bytes;) {
        const {done, value} = await reader.read();
        if (done) break;
        await arrived.add(value);
        progress(arrived.length);
      }
    } catch (error) {
      if (error instanceof EngineError && error.code !== 'offline') throw error;
      return EngineError.from(error, 'offline', AGAIN);
    }
    return null;
  }

  async #ask(path, init, alsoTaken = []) {
    let response;
    try {
      response = await this.#jetson.fetch(path, init);
    } catch (error) {
      throw new EngineError('offline', `The Jetson does not answer (${error?.message || error}).`, AGAIN);
    }
    if (response.ok || alsoTaken.includes(response.status)) return response;
    const problem = await response.json().catch(() => ({}));
    const {detail = `The Jetson answers ${response.status}.`, remedy = AGAIN} = problem;
    throw new EngineError('refused', detail, remedy);
  }
}

function tooLittle({path}) {
  return new EngineError('offline', `The Jetson sends less of ${path} than it promised.`, AGAIN);
}

function goesOnAt(response, have) {
  return response.status === 206 && new RegExp(`^bytes ${have}-`).test(response.headers.get('Content-Range') ?? '');
}
