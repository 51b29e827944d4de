import {EngineError} from './errors.js';
import {sha256InPieces} from './sha256.js';

export const PREPROCESSING = 'dermport-prep/1';
export const TARGET = 'tflite';

/**
 * @typedef {object} Release a model that this phone can run
 * @property {object} manifest the signed dermport-release/1 document
 * @property {object} artifact the entry of manifest.artifacts that is used: target, precision, path, sha256, policy
 * @property {Uint8Array} model the artifact's bytes
 * @property {Uint8Array} golden the golden photos, a .npy file
 */

/** Name and version, as the server is told. */
export function keyOf(manifest) {
  return `${manifest.name}/${manifest.version}`;
}

/**
 * Chooses the artifact of a precision.
 * @throws {EngineError} "no-artifact"
 */
export function artifactOf(manifest, precision) {
  const found = manifest.artifacts.filter(({target, platforms}) => target === TARGET && platforms.includes('web'));
  const wanted = found.find((artifact) => artifact.precision === precision);
  if (wanted) return wanted;
  const there = found.map((artifact) => artifact.precision).join(', ') || 'none';
  throw new EngineError(
    'no-artifact',
    `${keyOf(manifest)} has no ${TARGET} ${precision} (it has: ${there}).`,
    'Choose another precision in the settings, or have whoever runs the Jetson export it.',
  );
}

/** The listed files that an artifact needs: itself, and the golden photos. */
export function filesOf(manifest, artifact) {
  return [artifact.path, manifest.golden.tensors].map((path) => {
    const listed = manifest.files.find((file) => file.path === path);
    if (listed) return listed;
    throw new EngineError('unknown-form', `The manifest does not list ${path}.`, 'Ask whoever runs the Jetson.');
  });
}

/**
 * Puts a release together of files that are proved to be the listed ones.
 * @param {object} manifest
 * @param {object} artifact
 * @param {Map<string, Uint8Array>} files by sha256
 * @returns {Promise<Release>}
 * @throws {EngineError} "damaged-file"
 */
export async function assemble(manifest, artifact, files) {
  const listed = filesOf(manifest, artifact);
  const [model, golden] = await Promise.all(listed.map((file) => checked(file, files.get(file.sha256))));
  return {manifest, artifact, model, golden};
}

async function checked({path, bytes, sha256}, found) {
  if (found?.length === bytes && (await sha256InPieces(found)) === sha256) return found;
  throw new EngineError('damaged-file', `${path} is missing or damaged on this phone.`, 'Fetch the model again.');
}

/**
 * @param {string} one
 * @param {string} other
 * @returns {boolean} whether version `one` (numbers with dots) comes before `other`
 */
export function isOlder(one, other) {
  const [numbers, others] = [one, other].map((version) => version.split('.').map(Number));
  const at = numbers.findIndex((number, index) => number !== others[index]);
  return at >= 0 && numbers[at] < others[at];
}
