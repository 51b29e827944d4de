import {hashes, verify} from '@noble/ed25519';
import {sha512} from '@noble/hashes/sha2.js';
import {EngineError} from './errors.js';
import {sha256Hex} from './sha256.js';

hashes.sha512 = sha512; // else the library asks crypto.subtle, which plain http has not

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

/** @param {Uint8Array} bytes @returns {string} standard base64 */
export function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/**
 * Returns a document once one of the keys is found to have signed it: a DSSE envelope with Ed25519.
 * @param {string} envelope JSON
 * @param {string} type the document's
 * @param {string[]} keys base64 of raw public keys
 * @returns {Uint8Array} the document's bytes
 * @throws {EngineError} "untrusted": another key signed it, it was changed, or it is of another type
 */
export function verified(envelope, type, keys) {
  const {payload, payloadType, signatures} = parsed(envelope);
  if (payloadType !== type) throw untrusted(`The signed document is of type ${payloadType}, not ${type}.`);
  const bytes = fromBase64(payload);
  const signed = preAuthenticationEncoding(payloadType, bytes);
  const trusted = keys.map(fromBase64);
  if (signatures.some(({sig}) => trusted.some((key) => isBy(key, fromBase64(sig), signed)))) return bytes;
  const claimed = signatures.map(({keyid}) => keyid || 'unnamed').join(', ');
  const known = trusted.map(keyId).join(', ');
  throw untrusted(`The signature is not by a trusted key (it claims: ${claimed}; trusted: ${known}).`);
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

function untrusted(message) {
  const remedy = 'It was changed on the way, or another server signed it: do not use it. Compare the key ids.';
  return new EngineError('untrusted', message, remedy);
}
