/**
 * Keeps one build of the app on the phone, as files.json lists it. The page registers `service-worker.js?id=<build>`:
 * another build is another worker with a cache of its own, which takes over when the user agrees. What is below /v1/
 * never passes here.
 */
const ID = new URL(location.href).searchParams.get('id');
const CACHE = `dermport-${ID}`;
const HERE = new URL('./', location.href);
const LIST = 'files.json';
const AT_A_TIME = 6;
// Kept when they are asked for: a phone needs one of several WebAssembly builds, and no dashboard.
const LATER = /^(vendor\/litert|dashboard)\//;

addEventListener('install', (event) => event.waitUntil(install()));
addEventListener('activate', (event) => event.waitUntil(activate()));
addEventListener('message', (event) => event.data === 'take-over' && skipWaiting());
addEventListener('fetch', (event) => {
  const path = pathOf(event.request);
  if (path !== null) event.respondWith(answer(path, event.request));
});

async function install() {
  const response = await fetch(LIST, {cache: 'no-cache'});
  const {id, files} = await response.clone().json();
  if (id !== ID) throw new Error(`The server has build ${id} by now, not ${ID}.`);
  const cache = await caches.open(CACHE);
  await cache.put(LIST, response);
  const wanted = files.filter(({path}) => !LATER.test(path));
  for (let at = 0; at < wanted.length; at += AT_A_TIME) {
    await Promise.all(wanted.slice(at, at + AT_A_TIME).map((file) => keep(cache, file)));
  }
}

async function activate() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith('dermport-') && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await clients.claim();
}

async function answer(path, request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  if (kept) return kept;
  const listed = await cache.match(LIST).then((list) => list?.json());
  const file = listed?.files.find((one) => one.path === path);
  return file ? keep(cache, file) : fetch(request);
}

/** Fetches a file and keeps it if it is the listed one; the browser's own cache mostly has it already. */
async function keep(cache, {path, sha256}) {
  const response = await fetch(path, {cache: 'no-cache'});
  if (!response.ok) throw new Error(`${path} was answered ${response.status}.`);
  const digest = await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer());
  if (hex(digest) !== sha256) throw new Error(`${path} is not the file that files.json lists.`);
  await cache.put(path, response.clone());
  return response;
}

/** The path below the app that a request is for; null where it is none of the app's, or the list itself. */
function pathOf({url, method}) {
  const {origin, pathname} = new URL(url);
  if (method !== 'GET' || origin !== HERE.origin || !pathname.startsWith(HERE.pathname)) return null;
  const path = pathname.slice(HERE.pathname.length) || 'index.html';
  return path === LIST ? null : path;
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
