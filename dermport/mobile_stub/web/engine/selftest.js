import {EngineError} from './errors.js';
import {readNpy} from './npy.js';
import {compare, judge} from './parity.js';
import {sha256Hex} from './sha256.js';

/**
 * Has a loaded model answer the golden photos of its release.
 * @param {import('./release.js').Release} release
 * @param {(tensor: Uint8Array) => Promise<{values: Float32Array}>} answer
 * @param {object} policy of policy.json
 * @param {number} photos how many golden photos are asked, at most
 * @param {(done: number, of: number) => void} [progress]
 * @returns {Promise<import('./client.js').SelfTest>}
 * @throws {EngineError} "self-test-failed", or "damaged-file": the golden photos are not those of the manifest
 */
export async function selfTest(release, answer, policy, photos, progress) {
  const {manifest, artifact} = release;
  const tensors = goldenTensors(release).slice(0, photos);
  const began = performance.now();
  const answers = [];
  for (const tensor of tensors) {
    answers.push((await answer(tensor)).values);
    progress(answers.length, tensors.length);
  }
  const original = manifest.golden.vectors.slice(0, photos).map(({probabilities}) => probabilities);
  const figures = compare(original, answers);
  const {status, reasons} = judge(policy, artifact.policy, figures);
  if (status === 'fail') {
    const name = `${manifest.name} ${manifest.version} ${artifact.precision}`;
    throw new EngineError(
      'self-test-failed',
      `${name} does not answer as the original does on this phone: ${reasons.join('; ')}.`,
      'The model that was there is untouched. Choose another precision, or ask whoever runs the Jetson.',
    );
  }
  return {status, reasons, ...figures, policy: artifact.policy, milliseconds: performance.now() - began};
}

/** The golden photos, each proved to be the one that the manifest lists. */
function goldenTensors({manifest, golden}) {
  const {shape, data} = readNpy(golden);
  const {size} = manifest.preprocessing;
  const {vectors} = manifest.golden;
  const length = size * size * 3;
  const tensors = vectors.map((_, index) => data.subarray(index * length, (index + 1) * length));
  const isListed = shape.join() === [vectors.length, size, size, 3].join()
    && tensors.every((tensor, index) => sha256Hex(tensor) === vectors[index].input_sha256);
  if (!isListed) {
    throw new EngineError('damaged-file', 'The golden photos are not those of the manifest.', 'Fetch the model again.');
  }
  return tensors;
}
