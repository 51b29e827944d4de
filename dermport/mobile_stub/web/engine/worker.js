import {EngineError} from './errors.js';
import {PhotoPreparer} from './photo.js';
import {encodePng} from './png.js';
import {Runner} from './runner.js';

/** Answers the page's requests one after the other: LiteRT runs one input at a time, and a large photo needs memory. */
class EngineWorker {
  #last = Promise.resolve();
  #photos = new PhotoPreparer();
  #runner = null;

  take({id, method, args}) {
    const progress = (...done) => self.postMessage({id, progress: done});
    this.#last = this.#last.then(() => this.#answer(id, () => this[method](...args, progress)));
  }

  async #answer(id, work) {
    try {
      const {result, transfer = []} = await work();
      self.postMessage({id, result}, transfer);
    } catch (error) {
      self.postMessage({id, error: EngineError.from(error, 'engine-failed', 'Load the page again.').toJSON()});
    }
  }

  async hello() {
    return {result: true};
  }

  async prepare(blob, spec) {
    const result = await this.#photos.prepare(blob, spec);
    return {result, transfer: [result.tensor.buffer]};
  }

  async png(tensor) {
    return {result: await encodePng(tensor, Math.sqrt(tensor.length / 3))};
  }

  async load(release, options, progress) {
    this.#runner ??= await Runner.open();
    return {result: await this.#runner.load(release, options, progress)};
  }

  async predict(tensor) {
    if (!this.#runner) throw new EngineError('no-model', 'No model is loaded.', 'Fetch a model from the Jetson first.');
    return {result: await this.#runner.predict(tensor)};
  }
}

const worker = new EngineWorker();
self.addEventListener('message', ({data}) => worker.take(data));
