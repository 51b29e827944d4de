import {hashes, verify} from '@noble/ed25519';
import {sha512} from '@noble/hashes/sha2.js';
import {EngineError} from './errors.js';
import {PREPROCESSING} from './release.js';
import {sha256Hex} from './sha256.js';

hashes.sha512 = sha512; // else the library asks crypto.subtle, which plain http has not

const RELEASE_TYPE = 'application/vnd.dermport.release+json';
const RELEASE_SCHEMA = 'dermport-release/1';

/**
 * @param {Uint8Array} key the raw public key, 32 bytes
 * @returns {string} 16 hexadecimal digits, by which people compare keys
 */
export function keyId(key) {
  return sha256Hex(key).slice(0, 16);
}

/**
 * Reads standard or URL-safe base64.
 * @param {string} text
 * @returns {Uint8Array}
 * @throws {EngineError} "untrusted"
 */
export function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  } catch {
    throw untrusted('The signed document is not in base64.');
  }
}

/**
 * Returns a release manifest once the trusted key is found to have signed it: a DSSE envelope with Ed25519.
 * @param {string} envelope JSON
 * @param {Uint8Array} key the raw public key
 * @returns {object} the dermport-release/1 document
 * @throws {EngineError} "untrusted": another key signed it, or it was changed; "unknown-form": this app is too old
 */
export function verifiedManifest(envelope, key) {
  const {payload, payloadType, signatures} = parsed(envelope);
  if (payloadType !== RELEASE_TYPE) throw untrusted(`The signed document is of type ${payloadType}.`);
  const bytes = fromBase64(payload);
  const signed = preAuthenticationEncoding(payloadType, bytes);
  if (!signatures.some(({sig}) => isBy(key, fromBase64(sig), signed))) {
    const claimed = signatures.map(({keyid}) => keyid || 'unnamed').join(', ');
    throw untrusted(`The signature is not by the trusted key (it claims: ${claimed}; trusted: ${keyId(key)}).`);
  }
  return known(JSON.parse(new TextDecoder().decode(bytes)));
}

function parsed(envelope) {
  try {
    const {payload, payloadType, signatures} = JSON.parse(envelope);
    if (typeof payload === 'string' && Array.isArray(signatures)) return {payload, payloadType, signatures};
  } catch {
    // not JSON: said below
  }
  throw untrusted('The signed document is no DSSE envelope.');
}

/** Both parts with their lengths, so that no two pairs have one encoding. */
function preAuthenticationEncoding(type, payload) {
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  const signed = new Uint8Array(head.length + payload.length);
  signed.set(head);
  signed.set(payload, head.length);
  return signed;
}

function isBy(key, signature, signed) {
  try {
    return verify(signature, signed, key);
  } catch {
    return false; // of another length, or no point of the curve
  }
}

function known(manifest) {
  if (manifest.schema === RELEASE_SCHEMA && manifest.preprocessing?.id === PREPROCESSING) return manifest;
  throw new EngineError(
    'unknown-form',
    `This version of the app does not know manifests of ${manifest.schema} with ${manifest.preprocessing?.id}.`,
    'Load the page again to get the newest app.',
  );
}

function untrusted(message) {
  const remedy = 'It was changed on the way, or another server signed it: do not use it. Compare the key ids.';
  return new EngineError('untrusted', message, remedy);
}
