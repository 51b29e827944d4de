import {EngineError} from './errors.js';
import {PREPROCESSING} from './release.js';
import {fromBase64, toBase64, verified} from './signature.js';

const RELEASE_TYPE = 'application/vnd.dermport.release+json';
const ROOT_TYPE = 'application/vnd.dermport.root+json';
const RELEASE_SCHEMA = 'dermport-release/1';
const ROOT_SCHEMA = 'dermport-root/1';
const KEPT = 'The model on this phone is kept and goes on.';
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/; // text compares as time does
const KEY = /^[A-Za-z0-9+/]{43}=$/;

/**
 * What this phone believes of its server, as dermport/bundle/trust.py has it; every function returns what is believed next.
 * @typedef {object} Trust
 * @property {string} pin base64 of the root key or the release key that the phone was paired with
 * @property {object|null} root the newest dermport-root/1 document that was proved; null: the pin signs
 * @property {string[]} past release keys of earlier roots
 * @property {number} sequence the highest that was seen; 0: none
 */

/** @param {Uint8Array} key @returns {Trust} of a phone that was paired just now */
export function paired(key) {
  return {pin: toBase64(key), root: null, past: [], sequence: 0};
}

/** @param {Date} [time] @returns {string} as signed documents write it */
export function utc(time = new Date()) {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/**
 * Follows every root that there is now. Where no root is known yet, those before the first that the pin signed are passed
 * over; there may be none, of a server before there were roots.
 * @param {Trust} trust
 * @param {object[]} roots signed, those after the one that is known
 * @returns {Trust}
 * @throws {EngineError} "untrusted", "replayed", "unknown-form"
 */
export function walked(trust, roots) {
  for (const root of roots) {
    try {
      trust = followed(trust, JSON.stringify(root));
    } catch (error) {
      if (trust.root) throw error;
    }
  }
  return trust;
}

function followed(trust, envelope) {
  const root = documentOf(verified(envelope, ROOT_TYPE, trust.root?.root_keys ?? [trust.pin]), isRoot);
  verified(envelope, ROOT_TYPE, root.root_keys);
  if (!isNext(trust, root)) throw replayed(`Root ${root.version} does not follow root ${trust.root?.version ?? 0}.`);
  const before = releaseKeys(trust);
  const stays = before.some((key) => root.release_keys.includes(key));
  // Who had stolen the key that is gone may have signed any sequence with it: counting begins anew.
  return {...trust, root, past: [...new Set([...trust.past, ...before])], sequence: stays ? trust.sequence : 0};
}

function isNext(trust, root) {
  if (trust.root) return root.version === trust.root.version + 1;
  return root.version === 1 || root.root_keys.includes(trust.pin);
}

/**
 * A manifest that may be installed now.
 * @param {Trust} trust
 * @param {string} envelope JSON
 * @param {string} now of {@link utc}
 * @returns {{manifest: object, trust: Trust}}
 * @throws {EngineError} "untrusted", "replayed", "expired", "unknown-form"
 */
export function admitted(trust, envelope, now) {
  if (trust.root) refuseExpired(`What the server's root key signed (root ${trust.root.version})`, trust.root.expires, now);
  const manifest = documentOf(verified(envelope, RELEASE_TYPE, releaseKeys(trust)), isManifest);
  const which = `The manifest of ${manifest.name} ${manifest.version}`;
  if (manifest.sequence == null) {
    if (trust.root || trust.sequence) throw replayed(`${which} has no sequence number, and earlier ones had.`);
    return {manifest, trust};
  }
  if (manifest.sequence < trust.sequence) {
    throw replayed(`${which} is an old one: number ${manifest.sequence}, ${trust.sequence} was seen.`);
  }
  refuseExpired(which, manifest.expires, now);
  return {manifest, trust: {...trust, sequence: manifest.sequence}};
}

/**
 * The manifest of what was installed: one that was admitted once stays good.
 * @param {Trust} trust
 * @param {string} envelope JSON
 * @returns {object} the dermport-release/1 document
 * @throws {EngineError} "untrusted", "unknown-form"
 */
export function installed(trust, envelope) {
  return documentOf(verified(envelope, RELEASE_TYPE, [...trust.past, ...releaseKeys(trust)]), isManifest);
}

function releaseKeys(trust) {
  return trust.root?.release_keys ?? [trust.pin];
}

function documentOf(bytes, isKnown) {
  const document = parsed(bytes);
  if (document && isKnown(document)) return document;
  throw new EngineError(
    'unknown-form',
    `This version of the app does not know documents of ${document?.schema} with ${document?.preprocessing?.id}.`,
    'Load the page again to get the newest app.',
  );
}

function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function isManifest({schema, preprocessing, sequence, expires}) {
  const isNumbered = isCount(sequence) && UTC.test(expires);
  const isOld = sequence == null && expires == null;
  return schema === RELEASE_SCHEMA && preprocessing?.id === PREPROCESSING && (isNumbered || isOld);
}

function isRoot({schema, version, expires, root_keys: roots, release_keys: releases}) {
  return schema === ROOT_SCHEMA && isCount(version) && UTC.test(expires) && [roots, releases].every(areKeys);
}

function areKeys(keys) {
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => KEY.test(key) && fromBase64(key).length === 32);
}

function isCount(number) {
  return Number.isSafeInteger(number) && number > 0;
}

function refuseExpired(what, expires, now) {
  if (expires > now) return;
  throw new EngineError(
    'expired',
    `${what} ended on ${expires.slice(0, 10)}, and this phone's clock says ${now.slice(0, 10)}: it was not renewed, or `
      + 'the clock of the phone or of the server is wrong.',
    `Set the clock that is wrong, or reach the server to renew it. ${KEPT}`,
  );
}

function replayed(message) {
  const remedy = `Somebody on the way may have kept it, or the server was set back: ask whoever runs it. ${KEPT}`;
  return new EngineError('replayed', message, remedy);
}
