/** What was asked on this phone, newest first. Pictures are kept only while the page is open. Fires "change". */
export class Records extends EventTarget {
  #store;
  #pictures = new Map();
  #inputs = new Map();

  /** @param {import('../engine/database.js').ObjectStore} store */
  constructor(store) {
    super();
    this.#store = store;
  }

  /** @returns {Promise<object[]>} */
  async all() {
    return (await this.#store.all()).sort((one, other) => other.created.localeCompare(one.created));
  }

  /** @param {string} id @returns {Promise<object|undefined>} */
  get(id) {
    return this.#store.get(id);
  }

  /** @param {object} record */
  async put(record) {
    await this.#store.put(record);
    this.#changed(record.id);
  }

  /** Changes a record that may be gone by now. @param {string} id @param {object} changed */
  async change(id, changed) {
    const record = await this.get(id);
    if (record) await this.put({...record, ...changed});
  }

  /** @param {string} id */
  async remove(id) {
    await this.#store.delete(id);
    this.#forget(id);
    this.#changed(id);
  }

  /** Has `photo` shown with a record. @param {string} id @param {Blob} photo @param {Uint8Array} tensor made of it */
  show(id, photo, tensor) {
    this.#pictures.set(id, URL.createObjectURL(photo));
    this.#inputs.set(id, tensor);
  }

  /** @param {string} id @returns {string|undefined} an address for an <img> */
  picture(id) {
    return this.#pictures.get(id);
  }

  /** @param {string} id @returns {Uint8Array|undefined} the model's input */
  input(id) {
    return this.#inputs.get(id);
  }

  #forget(id) {
    URL.revokeObjectURL(this.#pictures.get(id));
    this.#pictures.delete(id);
    this.#inputs.delete(id);
  }

  #changed(id) {
    this.dispatchEvent(new CustomEvent('change', {detail: {id}}));
  }
}

const COLUMNS = [
  ['id', (record) => record.id],
  ['created', (record) => record.created],
  ['device', (record) => record.device],
  ['sent', (record) => record.privacy],
  ['photo_sha256', (record) => record.photo.sha256],
  ['quality', (record) => record.photo.quality.join(' ')],
  ['phone_label', (record) => record.phone.label],
  ['phone_score', (record) => record.phone.score],
  ['phone_positive', (record) => record.phone.positive],
  ['threshold', (record) => record.phone.threshold],
  ['phone_model', ({phone}) => `${phone.model.name}/${phone.model.version}`],
  ['phone_artifact', ({phone}) => `${phone.model.target} ${phone.model.precision}`],
  ['phone_artifact_sha256', ({phone}) => phone.model.artifactSha256],
  ['phone_runtime', ({phone}) => phone.runtime],
  ['phone_input_sha256', ({phone}) => phone.inputSha256],
  ['phone_ms', ({phone}) => phone.milliseconds.prepare + phone.milliseconds.infer],
  ['jetson', (record) => record.jetson.state],
  ['comparison', (record) => record.jetson.answer?.id],
  ['jetson_label', (record) => record.jetson.answer?.server.label],
  ['jetson_score', (record) => record.jetson.answer?.server.decision?.score],
  ['jetson_positive', (record) => record.jetson.answer?.server.decision?.positive],
  ['jetson_model', ({jetson: {answer}}) => answer && `${answer.server.model.name}/${answer.server.model.version}`],
  ['jetson_runtime', (record) => record.jetson.answer?.server.runtime.name],
  ['jetson_input_sha256', (record) => record.jetson.answer?.server.input_sha256],
  ['jetson_ms', (record) => record.jetson.milliseconds],
  ['same_label', (record) => record.jetson.answer?.verdict.same_label],
  ['same_decision', (record) => record.jetson.answer?.verdict.same_decision],
  ['same_input', (record) => record.jetson.answer?.verdict.same_input],
  ['change', (record) => record.jetson.answer?.verdict.change],
  ['cause', (record) => record.jetson.answer?.verdict.cause],
];

/**
 * @param {object[]} records
 * @param {string} notice goes into every row: a row is copied alone
 * @returns {string} RFC 4180, with a header row
 */
export function csvOf(records, notice) {
  const header = [...COLUMNS.map(([name]) => name), 'notice'];
  const rows = records.map((record) => [...COLUMNS.map(([, value]) => value(record)), notice]);
  return [header, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** A spreadsheet takes what begins with one of these for a formula. */
function cell(value) {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
