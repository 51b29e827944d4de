import {inputValues} from './dermport-abstention.js';
import {decode, PhotoError} from './dermport-decode.js';
import {prepare} from './dermport-prep.js';
import {Decoders} from './decoders.js';
import {EngineError} from './errors.js';
import {PREPROCESSING} from './release.js';
import {sha256Hex} from './sha256.js';
import {Survey} from './quality.js';

const BOUNDS = new URL('quality.json', import.meta.url);

/** Where photos become inputs. */
export class PhotoPreparer {
  #decoders = null;
  #bounds = null;

  /**
   * @param {Blob} blob
   * @param {import('./client.js').Preprocessing} spec
   * @returns {Promise<import('./client.js').Prepared>}
   */
  async prepare(blob, spec) {
    if (spec.id !== undefined && spec.id !== PREPROCESSING) {
      const remedy = 'Load the page again to get the newest app.';
      throw new EngineError('unknown-form', `This app does not know ${spec.id}.`, remedy);
    }
    this.#decoders ??= await Decoders.open();
    this.#bounds ??= await (await fetch(BOUNDS)).json();
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const image = await decode(bytes).catch(refuse);
    try {
      return {...this.#prepared(image, spec), photoSha256: sha256Hex(bytes)};
    } finally {
      image.close();
    }
  }

  #prepared(image, {size, crop}) {
    const {width, height, orientation, kind} = image;
    const exact = this.#decoders.judge(kind);
    const survey = new Survey(image, this.#bounds);
    const tensor = prepare({width, height, read: survey.reading(image.read)}, {size, crop, orientation});
    const inputSha256 = sha256Hex(tensor);
    const looks = {quality: survey.hints(tensor, size), values: inputValues(tensor, size)};
    return {tensor, inputSha256, width, height, orientation, exact, kind, ...looks};
  }
}

function refuse(error) {
  if (!(error instanceof PhotoError)) throw error;
  throw new EngineError(error.code, error.message, error.remedy);
}
