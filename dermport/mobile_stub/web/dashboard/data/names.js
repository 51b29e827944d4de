/** @file Names for people: of labels, and of the files that phones run. */

const SHORT = 10;

/** Knows the models that the server has. */
export class Names {
  #artifacts;
  #labels;

  /** @param {Object[]} [models] of `GET /v1/models`. */
  constructor(models = []) {
    this.#artifacts = new Map();
    this.#labels = new Map(models.flatMap((model) => model.task.labels.map((label) => [label.id, label.name])));
    models.forEach((model) => model.exports.forEach((one) => this.#add(model, one)));
  }

  /**
   * Return what a file is, e.g. "tflite int8 · ham7 1.1.0"; the start of its hash where no bundle here has it.
   * @param {string} sha256
   * @returns {string}
   */
  artifact(sha256) {
    const known = this.#artifacts.get(sha256);
    return known ? fileOf([...known.forms].join(' / '), known.model) : short(sha256);
  }

  /** Whether a bundle of the server has a file. @param {string} sha256 @returns {boolean} */
  knows(sha256) {
    return this.#artifacts.has(sha256);
  }

  /** Return a label's name. @param {string} id @returns {string} */
  label(id) {
    return this.#labels.get(id) ?? id;
  }

  /** One file can be two exports: TensorRT's kit of a precision may be ONNX Runtime's model. */
  #add(model, {target, precision, artifact_sha256: sha256}) {
    const known = this.#artifacts.get(sha256) ?? {model, forms: new Set()};
    this.#artifacts.set(sha256, {...known, forms: known.forms.add(`${target} ${precision}`)});
  }
}

/**
 * Return which file of which model answered.
 * @param {{target: string, precision: string, name: string, version: string}} served the API's ServedModel.
 * @returns {string}
 */
export function servedFile(served) {
  return fileOf(`${served.target} ${served.precision}`, served);
}

/** Return the first digits of a hash. @param {string} sha256 @returns {string} */
export function short(sha256) {
  return `${sha256.slice(0, SHORT)}…`;
}

function fileOf(form, {name, version}) {
  return `${form} · ${name} ${version}`;
}
