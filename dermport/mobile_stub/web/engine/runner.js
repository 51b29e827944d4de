import {getWebGpuDevice, loadAndCompile, loadLiteRt, supportsFeature, Tensor} from '@litertjs/core';
import {EngineError} from './errors.js';
import {quickerThan} from './race.js';
import {selfTest} from './selftest.js';

const LITERT = new URL('../vendor/litert/', import.meta.url).href;
const VERSIONS = new URL('../vendor/versions.json', import.meta.url);
const POLICY = new URL('policy.json', import.meta.url);

/** Runs .tflite files with LiteRT.js: on the GPU where that is there and proves itself, else by wasm. */
export class Runner {
  #litert;
  #policy;
  #model = null;

  /** Use {@link Runner.open}. */
  constructor(litert, policy) {
    this.#litert = litert;
    this.#policy = policy;
  }

  /**
   * Loads LiteRT.js: the wasm build that this browser can run.
   * @returns {Promise<Runner>}
   * @throws {EngineError} "runtime-not-loaded"
   */
  static async open() {
    try {
      const isModern = await supportsFeature('relaxedSimd');
      const [versions, policy] = await Promise.all([json(VERSIONS), json(POLICY)]);
      await loadLiteRt(LITERT);
      const litert = {name: 'LiteRT.js', version: versions['@litertjs/core'], build: isModern ? 'default' : 'compat'};
      return new Runner(litert, policy);
    } catch (error) {
      const remedy = 'Load the page again; the app on the server may be incomplete.';
      throw EngineError.from(error, 'runtime-not-loaded', remedy);
    }
  }

  /**
   * Loads a release and proves it; the one before answers until then, and goes on where this one fails.
   * @param {import('./release.js').Release} release
   * @param {{webgpu: boolean, photos: number}} options
   * @param {(done: number, of: number) => void} progress of the self-test
   * @returns {Promise<{runtime: import('./client.js').Runtime, selfTest: import('./client.js').SelfTest}>}
   */
  async load(release, {webgpu, photos}, progress) {
    const byWasm = await this.#tried(release, 'wasm', photos, (run) => run, progress);
    if (!webgpu) return this.#use(byWasm, '');
    if (!getWebGpuDevice()) return this.#use(byWasm, 'This browser offers no WebGPU.');
    try {
      const byGpu = await this.#tried(release, 'webgpu', photos, (run) => quickerThan(byWasm.times, run), () => {});
      byWasm.model.close();
      return this.#use(byGpu, '');
    } catch (error) {
      return this.#use(byWasm, `WebGPU is not used: ${error.message}`);
    }
  }

  async #tried(release, accelerator, photos, guarded, progress) {
    const model = await CompiledModel.compile(release, accelerator);
    const times = [];
    const run = guarded(async (tensor) => {
      const answer = await model.run(tensor);
      times.push(answer.milliseconds);
      return answer;
    });
    try {
      return {model, accelerator, times, tested: await selfTest(release, run, this.#policy, photos, progress)};
    } catch (error) {
      model.close();
      throw error;
    }
  }

  #use({model, accelerator, tested}, why) {
    this.#model?.close();
    this.#model = model;
    return {runtime: {...this.#litert, accelerator, why}, selfTest: tested};
  }

  /**
   * @param {Uint8Array} tensor size * size * 3 values
   * @returns {Promise<import('./client.js').Prediction>}
   */
  async predict(tensor) {
    if (!this.#model) throw new EngineError('no-model', 'No model is loaded.', 'Fetch a model from the Jetson first.');
    return this.#model.predict(tensor);
  }
}

/** One compiled .tflite file. */
class CompiledModel {
  #compiled;
  #input;
  #labels;

  constructor(compiled, labels) {
    this.#compiled = compiled;
    [this.#input] = compiled.getInputDetails();
    this.#labels = labels;
  }

  /** @throws {EngineError} "model-not-loaded" */
  static async compile({manifest, artifact, model}, accelerator) {
    try {
      const compiled = await loadAndCompile(model, {accelerator});
      if (accelerator === 'webgpu' && !compiled.isFullyAccelerated) {
        compiled.delete();
        throw new Error('the GPU cannot run all of the model.');
      }
      return new CompiledModel(compiled, manifest.task.labels.map(({id}) => id));
    } catch (error) {
      const message = `LiteRT cannot load ${artifact.path}: ${error?.message || error}`;
      throw new EngineError('model-not-loaded', message, 'Choose another precision in the settings.');
    }
  }

  async predict(tensor) {
    const {values, map, milliseconds} = await this.run(tensor);
    const probabilities = Object.fromEntries(this.#labels.map((label, index) => [label, values[index]]));
    return {probabilities, map: map ?? null, milliseconds};
  }

  async run(tensor) {
    const shape = Array.from(this.#input.shape);
    if (tensor.length !== shape.reduce((product, side) => product * side, 1)) {
      throw new EngineError('wrong-input', `The model takes ${shape.join(' x ')}, not ${tensor.length} values.`, '');
    }
    const began = performance.now();
    const input = new Tensor(this.#input.dtype === 'uint8' ? tensor.slice() : Float32Array.from(tensor), shape);
    const outputs = await this.#compiled.run([input]);
    const [values, cells] = await Promise.all(outputs.map((output) => output.data()));
    const map = outputs[1] && this.#mapOf(cells, outputs[1].type.layout.dimensions);
    for (const one of [input, ...outputs]) one.delete();
    const milliseconds = performance.now() - began;
    if (values instanceof Float32Array) return {values, map, milliseconds};
    // TFLite fixes the scale of a quantised softmax: 1/256, zero point 0.
    return {values: Float32Array.from(values, (code) => code / 256), map, milliseconds};
  }

  /** @returns {import('./activation-map.js').ActivationMap|undefined} none of codes, whose scale is not known here */
  #mapOf(cells, [, rows, columns, count]) {
    if (!(cells instanceof Float32Array)) return undefined;
    const of = (index) => Array.from(cells).filter((_, at) => at % count === index);
    return {shape: [rows, columns], values: Object.fromEntries(this.#labels.map((label, index) => [label, of(index)]))};
  }

  close() {
    this.#compiled.delete();
  }
}

async function json(url) {
  const response = await fetch(url);
  if (!response.ok) throw new EngineError('runtime-not-loaded', `${url.pathname} is missing (${response.status}).`);
  return response.json();
}
