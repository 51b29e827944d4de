const TIMEOUT = 60_000; // ms
const EVERY = 20_000; // ms between two looks
// The page is one folder below the server, which may be below a path of a proxy's.
const root = () => new URL('../', document.baseURI);
const OFFLINE = [502, 503, 504, 507, 429, 408];
const KEY = [401, 403];

/** Why the Jetson gave no answer. */
export class JetsonError extends Error {
  /**
   * @param {'offline'|'busy'|'key'|'refused'} kind offline and busy: the same request may be answered later
   * @param {{code?: string, detail?: string, remedy?: string}} problem the server's own words, where it said some
   */
  constructor(kind, problem = {}) {
    super(problem.detail || kind);
    this.name = 'JetsonError';
    this.kind = kind;
    this.code = problem.code ?? kind;
    this.remedy = problem.remedy ?? '';
  }
}

/** The server that this page came from. Fires "state" when it comes or goes. */
export class Jetson extends EventTarget {
  #settings;
  #state = 'unknown';

  /** @param {import('./settings.js').Settings} settings where the API key is */
  constructor(settings) {
    super();
    this.#settings = settings;
  }

  /** @returns {'unknown'|'reachable'|'unreachable'|'key'} how the last request ended */
  get state() {
    return this.#state;
  }

  /**
   * Asks with the API key; what the model store needs.
   * @param {string} path begins with /v1/
   * @param {RequestInit} [init]
   * @returns {Promise<Response>} whatever its status
   * @throws {TypeError} nobody answered
   */
  async fetch(path, init = {}) {
    const headers = new Headers(init.headers);
    const {apiKey} = this.#settings.values;
    if (apiKey) headers.set('X-Api-Key', apiKey);
    try {
      const response = await fetch(new URL(`.${path}`, root()), {...init, headers, credentials: 'omit'});
      this.#note(KEY.includes(response.status) ? 'key' : response.status === 502 ? 'unreachable' : 'reachable');
      return response;
    } catch (error) {
      if (error.name !== 'AbortError' || init.signal?.reason?.name === 'TimeoutError') this.#note('unreachable');
      throw error;
    }
  }

  /**
   * Posts a comparison, and asks for a picture of where the inputs differ.
   * @param {FormData} form
   * @param {string} key idempotency key
   * @returns {Promise<object>} a ComparisonAnswer
   * @throws {JetsonError}
   */
  compare(form, key) {
    const headers = {'Idempotency-Key': key};
    return this.#json('/v1/comparisons?difference=true', {method: 'POST', body: form, headers});
  }

  /** From now on looks, now and then, whether somebody answers. */
  watch() {
    const look = () => document.visibilityState === 'visible' && this.#look();
    document.addEventListener('visibilitychange', look);
    addEventListener('online', look);
    setInterval(look, EVERY);
  }

  async #look() {
    try {
      await fetch(new URL('healthz', root()), {cache: 'no-store', signal: AbortSignal.timeout(EVERY / 2)});
      if (this.#state !== 'key') this.#note('reachable'); // this address asks for none
    } catch {
      this.#note('unreachable');
    }
  }

  async #json(path, init) {
    const response = await this.fetch(path, {...init, signal: AbortSignal.timeout(TIMEOUT)}).catch(() => {
      throw new JetsonError('offline');
    });
    if (response.ok) return response.json();
    const problem = await response.json().catch(() => ({}));
    throw new JetsonError(kindOf(response.status), problem);
  }

  #note(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.dispatchEvent(new Event('state'));
  }
}

function kindOf(status) {
  if (KEY.includes(status)) return 'key';
  return OFFLINE.includes(status) ? 'busy' : 'refused';
}
