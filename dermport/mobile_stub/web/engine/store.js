import {Database} from './database.js';
import {EngineError} from './errors.js';
import {ReleaseClient} from './release-client.js';
import {PartialDownloads} from './partial-downloads.js';
import {artifactOf, assemble, filesOf, isOlder, keyOf} from './release.js';
import {sha256InPieces} from './sha256.js';
import {fromBase64, keyId} from './signature.js';
import {admitted, installed as installedManifest, paired, utc, walked} from './trust.js';

const STATE = 'state';
const FILES = 'files';
const PARTS = 'parts';
const FETCH = 'Fetch a model from the Jetson first.';

/**
 * @typedef {{envelope: string, precision: string, files: string[]}} Place an installed model: its signed manifest, what
 *     of it is used, and the sha256 of its files
 * @typedef {object} Update
 * @property {boolean} changed whether another model is in use now
 * @property {boolean} [renewed] whether the same model was signed anew
 * @property {string} version in use now
 * @property {string|null} previousVersion in use before
 * @property {boolean} older whether the server offers an older version, which is taken only when that is asked for
 * @property {string|null} trusted id of the server's key where it was trusted just now
 * @property {string} why in words
 * @property {import('./client.js').SelfTest|null} selfTest of a model that is new
 */

/** The models on this phone: the one in use, the one before it, and what it believes of the server (trust.js). */
export class ModelStore {
  #database;
  #prove;

  /** Use {@link ModelStore.open}. */
  constructor(database, prove) {
    this.#database = database;
    this.#prove = prove;
  }

  /**
   * @param {object} options
   * @param {(release: import('./release.js').Release) => Promise<{selfTest: object}>} options.prove has a release
   *     answer its golden photos, and rejects where it is too far from the original: `engine.load`
   * @param {string} [options.database] name
   * @returns {Promise<ModelStore>}
   * @throws {EngineError} "storage-failed"
   */
  static async open({prove, database = 'dermport-models'}) {
    return new ModelStore(await Database.open(database, [STATE, FILES, PARTS]), prove);
  }

  /**
   * @returns {Promise<import('./release.js').Release|null>} the model in use, everything about it checked
   * @throws {EngineError} "untrusted", "damaged-file", "unknown-form": it must be fetched again
   */
  async current() {
    return this.#release((await this.#installed()).current);
  }

  /** @returns {Promise<import('./release.js').Release|null>} the one before; throws as {@link ModelStore#current} */
  async previous() {
    return this.#release((await this.#installed()).previous);
  }

  /** @returns {Promise<string>} a random name of this phone, drawn at the first call, that tells nobody whose it is */
  async device() {
    const known = await this.#database.get(STATE, 'device');
    if (known) return known;
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is absent on plain http
    const drawn = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    await this.#database.change([STATE], ({state}) => state.put(drawn, 'device'));
    return drawn;
  }

  /** @returns {Promise<string|null>} id of the trusted key: the server's root key, by which people know it */
  async keyId() {
    const trust = await this.#trust();
    return trust && keyId(fromBase64(trust.root?.root_keys[0] ?? trust.pin));
  }

  /**
   * Trusts the key that the server shows, instead of the one before: at the first contact, or once people compared
   * ids.
   * @param {import('./release-client.js').Jetson} jetson
   * @returns {Promise<string>} its id
   */
  async trust(jetson) {
    const client = new ReleaseClient(jetson);
    const key = fromBase64(await client.keyToPin());
    await this.#believe(walked(paired(key), await client.roots(0)));
    return keyId(key);
  }

  /**
   * Has the model that the server wants this phone to have. Whatever fails, the model in use stays as it is.
   * @param {import('./release-client.js').Jetson} jetson
   * @param {object} [options]
   * @param {string} [options.precision] of the artifact
   * @param {string} [options.appVersion]
   * @param {boolean} [options.allowOlder] whether an older version may replace a newer one
   * @param {(path: string, bytes: number, of: number) => void} [options.progress]
   * @returns {Promise<Update>}
   * @throws {EngineError} see README.md
   */
  async update(jetson, {precision = 'fp32', appVersion, allowOlder = false, progress = () => {}} = {}) {
    const client = new ReleaseClient(jetson);
    const trusted = (await this.keyId()) ? null : await this.trust(jetson);
    const known = await this.#trust();
    await this.#believe(walked(known, await client.roots(known.root?.version ?? 0)));
    const current = await this.#usable();
    const asked = {device: await this.device(), appVersion, current: current && keyOf(current.manifest)};
    const said = await client.latest(asked);
    const envelope = await client.manifest(said);
    const {manifest, trust} = admitted(await this.#trust(), envelope, utc());
    checkPromise(said, manifest);
    await this.#believe(trust);
    const offer = {manifest, envelope, artifact: artifactOf(manifest, precision)};
    const before = {previousVersion: current?.manifest.version ?? null, older: false, trusted, selfTest: null};
    if (current && isSame(current, offer)) {
      return {...before, changed: false, renewed: await this.#renew(envelope), version: manifest.version, why: said.why};
    }
    if (!allowOlder && (await this.#isUnexpected(current, offer))) return {...before, ...declined(current, manifest)};
    const selfTest = await this.#install(client, offer, progress);
    return {...before, changed: true, version: manifest.version, why: said.why, selfTest};
  }

  /**
   * Uses the model before the present one again, once it has proved itself anew; a second call leads back.
   * @returns {Promise<import('./release.js').Release>}
   * @throws {EngineError} "no-earlier-model"; "damaged-file", "self-test-failed": the present one stays
   */
  async rollBack() {
    const {current, previous} = await this.#installed();
    const release = await this.#release(previous);
    if (!release) throw new EngineError('no-earlier-model', 'This phone holds no earlier model.', FETCH);
    await this.#prove(release);
    await this.#swap({current: previous, previous: current}, []);
    return release;
  }

  async #installed() {
    return (await this.#database.get(STATE, 'installed')) ?? {current: null, previous: null};
  }

  /** What is believed; `key` is the pin of an app before there were roots. */
  async #trust() {
    const [trust, key] = await Promise.all(['trust', 'key'].map((name) => this.#database.get(STATE, name)));
    return trust ?? (key ? paired(key) : null);
  }

  #believe(trust) {
    return this.#database.change([STATE], ({state}) => state.put(trust, 'trust'));
  }

  /** The model in use is signed anew, with a later end. */
  async #renew(envelope) {
    const {current, previous} = await this.#installed();
    if (current.envelope === envelope) return false;
    const renewed = {current: {...current, envelope}, previous};
    await this.#database.change([STATE], ({state}) => state.put(renewed, 'installed'));
    return true;
  }

  async #release(place) {
    if (!place) return null;
    const trust = await this.#trust();
    if (!trust) throw new EngineError('no-key', 'This phone trusts no server yet.', FETCH);
    const manifest = installedManifest(trust, place.envelope);
    const artifact = artifactOf(manifest, place.precision);
    const files = await Promise.all(place.files.map((sha256) => this.#database.get(FILES, sha256)));
    return assemble(manifest, artifact, new Map(place.files.map((sha256, index) => [sha256, files[index]])));
  }

  /** The model in use; one that is damaged, or signed by a key that is no longer trusted, is replaced. */
  async #usable() {
    try {
      return await this.current();
    } catch (error) {
      if (error.code === 'storage-failed') throw error;
      return null;
    }
  }

  /** Whether the offer is older than what is in use, and not the very model that was in use before that. */
  async #isUnexpected(current, {manifest, artifact}) {
    if (!current || current.manifest.name !== manifest.name) return false;
    if (!isOlder(manifest.version, current.manifest.version)) return false;
    const {previous} = await this.#installed();
    return !previous?.files.includes(artifact.sha256);
  }

  async #install(client, {manifest, envelope, artifact}, progress) {
    const files = new Map();
    for (const listed of filesOf(manifest, artifact)) {
      const fetched = (bytes) => progress(listed.path, bytes, listed.bytes);
      const parts = new PartialDownloads(this.#database, PARTS);
      const known = await this.#kept(listed.sha256);
      files.set(listed.sha256, known ?? (await client.file(manifest, listed, parts, fetched)));
    }
    const {selfTest} = await this.#prove(await assemble(manifest, artifact, files));
    const place = {envelope, precision: artifact.precision, files: [...files.keys()]};
    const {current, previous} = await this.#installed();
    const replaced = current?.files.includes(artifact.sha256); // the same model, damaged or signed anew
    await this.#swap({current: place, previous: replaced ? previous : current}, [...files]);
    return selfTest;
  }

  /** A file that another release has brought, if it is still as it was. */
  async #kept(sha256) {
    const bytes = await this.#database.get(FILES, sha256);
    return bytes && (await sha256InPieces(bytes)) === sha256 ? bytes : null;
  }

  /** Stores files and state in one step, and drops what neither of the two models needs. */
  async #swap(installed, files) {
    const needed = new Set([installed.current, installed.previous].flatMap((place) => place?.files ?? []));
    const keys = await this.#database.keys(FILES);
    await this.#database.change([STATE, FILES, PARTS], (stores) => [
      ...files.map(([sha256, bytes]) => stores[FILES].put(bytes, sha256)),
      ...keys.filter((sha256) => !needed.has(sha256)).map((sha256) => stores[FILES].delete(sha256)),
      stores[PARTS].clear(),
      stores[STATE].put(installed, 'installed'),
    ]);
  }
}

/** Whether the offer needs the very files that are in use. */
function isSame(current, {manifest, artifact}) {
  const files = (one, used) => filesOf(one, used).map(({sha256}) => sha256).join();
  return keyOf(current.manifest) === keyOf(manifest) && files(current.manifest, current.artifact) === files(manifest, artifact);
}

function declined(current, manifest) {
  const why = `The Jetson offers ${manifest.version}, which is older than ${current.manifest.version} on this phone.`;
  return {changed: false, older: true, version: current.manifest.version, why};
}

function checkPromise(said, manifest) {
  if (['name', 'version', 'sha256'].every((field) => said[field] === manifest[field])) return;
  throw new EngineError(
    'broken-promise',
    `The Jetson promised ${keyOf(said)} and signed another model: ${keyOf(manifest)}.`,
    'The model that was there is untouched.',
  );
}
