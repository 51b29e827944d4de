/** @file Names for people: of labels, and of the files that phones run. */

const SHORT = 10;

/** Knows the models that the server has. */
export class Names {
  /** @param {Object[]} [models] of `GET /v1/models`. */
  constructor(models = []) {
    this._artifacts = new Map(models.flatMap((model) => model.exports.map((one) => [one.artifact_sha256, {model, one}])));
    this._labels = new Map(models.flatMap((model) => model.task.labels.map((label) => [label.id, label.name])));
  }

  /** Return what a file is, e.g. "tflite int8 · ham7 1.1.0"; the start of its hash where no bundle here has it. */
  artifact(sha256) {
    const known = this._artifacts.get(sha256);
    return known ? `${known.one.target} ${known.one.precision} · ${known.model.name} ${known.model.version}` : short(sha256);
  }

  /** Whether a bundle of the server has a file. @param {string} sha256 @returns {boolean} */
  knows(sha256) {
    return this._artifacts.has(sha256);
  }

  /** Return a label's name. @param {string} id @returns {string} */
  label(id) {
    return this._labels.get(id) ?? id;
  }
}

/** Return the first digits of a hash. @param {string} sha256 @returns {string} */
export function short(sha256) {
  return `${sha256.slice(0, SHORT)}…`;
}
