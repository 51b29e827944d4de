const PATIENCE = 3000; // ms

/** Keeps the app on the phone, so that it opens without a network; does nothing where a browser cannot. */
export class Offline extends EventTarget {
  #waiting = null;
  /** @type {Error|null} why the browser does not keep the app, as where it does not trust the certificate */
  error = null;

  /** @returns {boolean} whether this browser, on this origin, can */
  static get possible() {
    return Boolean(globalThis.isSecureContext && navigator.serviceWorker);
  }

  /** Registers the build that the server has now; resolves once it serves this page, or after a while. */
  async start() {
    if (!Offline.possible) return;
    const id = await buildId();
    if (!id) return; // offline: what is installed goes on
    try {
      await this.#register(id);
    } catch (error) {
      this.error = error;
      return;
    }
    // What the engine fetches on a first visit is kept on its way, if the service worker is there by then.
    if (!navigator.serviceWorker.controller) await Promise.race([controlled(), sleep(PATIENCE)]);
  }

  /**
   * Sees that files which were fetched before the service worker had taken over are kept, too.
   * @param {string[]} paths below the app
   */
  async keep(paths) {
    if (!Offline.possible || !(await navigator.serviceWorker.getRegistration())) return;
    if (!navigator.serviceWorker.controller) await controlled();
    for (const path of paths) if (!(await caches.match(path))) await fetch(path);
  }

  /** Goes on with the newer build: the page is loaded again. */
  async renew() {
    const changed = controlled();
    this.#waiting.postMessage('take-over');
    await changed;
    location.reload();
  }

  async #register(id) {
    const registration = await navigator.serviceWorker.register(`service-worker.js?id=${id}`, {scope: './'});
    registration.addEventListener('updatefound', () => this.#watch(registration.installing));
    if (registration.waiting && navigator.serviceWorker.controller) this.#offer(registration.waiting);
  }

  #watch(worker) {
    worker.addEventListener('statechange', () => {
      if (worker.state === 'installed' && navigator.serviceWorker.controller) this.#offer(worker);
    });
  }

  #offer(worker) {
    this.#waiting = worker;
    this.dispatchEvent(new Event('newer'));
  }
}

async function buildId() {
  try {
    return (await (await fetch('files.json', {cache: 'no-cache', signal: AbortSignal.timeout(PATIENCE)})).json()).id;
  } catch {
    return null;
  }
}

function controlled() {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', resolve, {once: true});
  });
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
