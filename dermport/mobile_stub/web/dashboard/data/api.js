/** @file The server's API. */

const KEY_HEADER = 'X-Api-Key';
const PATIENCE = 30_000;

/** What the server refused, or that it was not reached (status 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, detail?: string, remedy?: string, request_id?: string}} problem
   */
  constructor(status, {code = '', detail = '', remedy = '', request_id: requestId = ''} = {}) {
    super(detail || `HTTP ${status}`);
    Object.assign(this, {name: 'ApiError', status, code, remedy, requestId});
  }
}

/** Asks the server, with the key that the reader typed. */
export class Api {
  #root;
  #key;
  #ask;

  /**
   * @param {string} root where the API begins, with a slash at its end.
   * @param {function(): ?string} key gives the key; null where there is none.
   * @param {typeof fetch} [ask] how requests are sent.
   */
  constructor(root, key, ask = (...request) => fetch(...request)) {
    this.#root = root;
    this.#key = key;
    this.#ask = ask;
  }

  /**
   * Return a document.
   * @param {string} path
   * @param {URLSearchParams} [query]
   * @returns {Promise<Object>}
   * @throws {ApiError}
   */
  async get(path, query) {
    return (await this.#answer('GET', path, {query})).json();
  }

  /** Return a body as text. @param {string} path @returns {Promise<string>} @throws {ApiError} */
  async text(path) {
    return (await this.#answer('GET', path)).text();
  }

  /**
   * Return a body as a file.
   * @param {string} path
   * @param {URLSearchParams} query
   * @returns {Promise<Blob>}
   * @throws {ApiError}
   */
  async file(path, query) {
    return (await this.#answer('GET', path, {query, patience: 10 * PATIENCE})).blob();
  }

  /**
   * Have something changed. A model that is made live is loaded and proved first, which takes its time.
   * @param {'POST'|'PUT'} method
   * @param {string} path
   * @param {Object} [document]
   * @returns {Promise<Object>}
   * @throws {ApiError}
   */
  async change(method, path, document) {
    return (await this.#answer(method, path, {document, patience: 10 * PATIENCE})).json();
  }

  async #answer(method, path, {query, document, patience = PATIENCE} = {}) {
    const asked = query && String(query) ? `?${query}` : '';
    const response = await this.#sent(`${this.#root}${path}${asked}`, {
      method,
      headers: this.#headers(document),
      body: document && JSON.stringify(document),
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(patience),
    });
    if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
    return response;
  }

  async #sent(address, options) {
    try {
      return await this.#ask(address, options);
    } catch (error) {
      throw new ApiError(0, {code: 'unreachable', detail: error.message});
    }
  }

  #headers(document) {
    const key = this.#key();
    return {...(key && {[KEY_HEADER]: key}), ...(document && {'Content-Type': 'application/json'})};
  }
}
