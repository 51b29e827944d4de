import {decide} from '../engine/decision.js';
import {reasonsNotToTell} from '../engine/dermport-abstention.js';
import {APP_VERSION} from './phone-model.js';

/**
 * @typedef {object} Draft a photo that was prepared and not asked about yet
 * @property {Blob} photo
 * @property {import('../engine/client.js').Prepared} prepared
 * @property {number} milliseconds of preparing
 */

/** Photos on their way: prepared, answered by the phone, compared with the Jetson, remembered. */
export class PhotoWorkflow {
  #model;
  #queue;
  #records;
  #settings;

  /**
   * @param {import('./phone-model.js').PhoneModel} model
   * @param {import('./queue.js').Queue} queue
   * @param {import('./records.js').Records} records
   * @param {import('./settings.js').Settings} settings
   */
  constructor(model, queue, records, settings) {
    this.#model = model;
    this.#queue = queue;
    this.#records = records;
    this.#settings = settings;
    queue.addEventListener('answered', ({detail}) => this.#answered(detail));
    queue.addEventListener('refused', ({detail}) => this.#refused(detail));
  }

  /** @param {Blob} photo @returns {Promise<Draft>} @throws {EngineError} the photo is refused */
  async prepare(photo) {
    const began = performance.now();
    const prepared = await this.#model.prepare(photo);
    return {photo, prepared, milliseconds: performance.now() - began};
  }

  /** Has the phone answer, and the Jetson asked. @param {Draft} draft @returns {Promise<object>} the record */
  async run(draft) {
    const record = await this.#ask(draft);
    const files = await this.#files(draft);
    record.jetson = {state: files.length ? 'waiting' : 'off'};
    this.#records.show(record.id, draft.photo, draft.prepared.tensor);
    await this.#records.put(record);
    if (files.length) await this.#queue.add({id: record.id, created: record.created, said: said(record), files});
    return record;
  }

  /** Forgets a record; what was not sent is not sent any more. @param {string} id */
  async remove(id) {
    await this.#queue.remove(id);
    await this.#records.remove(id);
  }

  async #ask({photo, prepared, milliseconds}) {
    const answer = await this.#model.predict(prepared.tensor);
    const {manifest, artifact} = answer.release;
    const decided = decide(manifest, answer.probabilities);
    const reasons = reasonsNotToTell(manifest.abstention, prepared.values);
    return {
      id: drawId(),
      created: new Date().toISOString(),
      appVersion: APP_VERSION,
      privacy: this.#settings.values.privacy,
      device: await this.#model.device(),
      labels: manifest.task.labels.map(({id, name}) => ({id, name, positive: manifest.task.positive.includes(id)})),
      photo: {
        bytes: photo.size, sha256: prepared.photoSha256, width: prepared.width, height: prepared.height,
        orientation: prepared.orientation, quality: prepared.quality.map(({code}) => code), exact: prepared.exact,
      },
      phone: {
        ...decided,
        positive: reasons.length ? null : decided.positive, // null: the model cannot tell, or knows no decision
        reasons,
        rule: manifest.decision?.name ?? null,
        probabilities: answer.probabilities,
        map: answer.map,
        model: {
          name: manifest.name, version: manifest.version, sha256: manifest.sha256, artifactSha256: artifact.sha256,
          target: artifact.target, precision: artifact.precision,
        },
        runtime: `${answer.runtime.name} ${answer.runtime.version} ${answer.runtime.accelerator}`,
        preprocessing: manifest.preprocessing.id,
        inputSha256: prepared.inputSha256,
        milliseconds: {prepare: milliseconds, infer: answer.milliseconds},
      },
    };
  }

  async #files({photo, prepared}) {
    const {privacy} = this.#settings.values;
    if (privacy === 'nothing') return [];
    const files = [{field: 'prepared', blob: await this.#model.png(prepared.tensor)}];
    return privacy === 'photo' ? [{field: 'photo', blob: photo}, ...files] : files;
  }

  #answered({id, answer, milliseconds}) {
    return this.#records.change(id, {jetson: {state: 'answered', answer, milliseconds}});
  }

  #refused({id, error}) {
    const {code, message, remedy} = error;
    return this.#records.change(id, {jetson: {state: 'refused', problem: {code, message, remedy}}});
  }
}

/** A ComparisonRequest. */
function said({id, created, device, photo, phone, privacy}) {
  return {
    probabilities: phone.probabilities,
    input_sha256: phone.inputSha256,
    photo_sha256: privacy === 'photo' ? photo.sha256 : null,
    artifact_sha256: phone.model.artifactSha256,
    model_sha256: phone.model.sha256,
    target: phone.model.target,
    precision: phone.model.precision,
    runtime: phone.runtime,
    cannot_tell: phone.positive === null && phone.rule !== null,
    device: {id: device},
    app_version: APP_VERSION,
    asked: created,
    client_id: id,
  };
}

/** A name that nobody else draws; crypto.randomUUID is absent on plain http. */
function drawId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
