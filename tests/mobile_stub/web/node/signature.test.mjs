import assert from 'node:assert/strict';
import {generateKeyPairSync, sign} from 'node:crypto';
import {test} from 'node:test';
import {engine} from './dist.mjs';

const {fromBase64, keyId, toBase64, verified} = await engine('signature.js');
const TYPE = 'application/vnd.dermport.release+json';
const MANIFEST = {schema: 'dermport-release/1', name: 'tiny', version: '1.0.0', preprocessing: {id: 'dermport-prep/1'}};
const ours = generateKeyPairSync('ed25519');
const theirs = generateKeyPairSync('ed25519');
const raw = (keys) => new Uint8Array(keys.publicKey.export({format: 'der', type: 'spki'}).subarray(-32));

/** An envelope as the server makes it. */
function signed(document, {keys = ours, type = TYPE, signedType = type} = {}) {
  const payload = Buffer.from(JSON.stringify(document));
  const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${signedType.length} ${signedType} ${payload.length} `), payload]);
  const signature = {keyid: keyId(raw(keys)), sig: sign(null, encoded, keys.privateKey).toString('base64')};
  return {payload: payload.toString('base64'), payloadType: type, signatures: [signature]};
}

function read(envelope, keys = [ours]) {
  const text = typeof envelope === 'string' ? envelope : JSON.stringify(envelope);
  return JSON.parse(new TextDecoder().decode(verified(text, TYPE, keys.map((one) => toBase64(raw(one))))));
}

function refuses(envelope) {
  assert.throws(() => read(envelope), (error) => error.code === 'untrusted' && error.remedy !== '');
}

test('what the trusted key signed is returned', () => {
  assert.deepEqual(read(signed(MANIFEST)), MANIFEST);
  assert.deepEqual(read(signed(MANIFEST), [theirs, ours]), MANIFEST);
});

test('one of several signatures is enough, and URL-safe base64 is understood', () => {
  const envelope = signed(MANIFEST);
  envelope.signatures = [signed(MANIFEST, {keys: theirs}).signatures[0], ...envelope.signatures];
  for (const one of envelope.signatures) one.sig = one.sig.replaceAll('+', '-').replaceAll('/', '_');
  assert.deepEqual(read(envelope), MANIFEST);
});

test('another key, a changed document and another type are refused', () => {
  refuses(signed(MANIFEST, {keys: theirs}));
  const changed = signed(MANIFEST);
  changed.payload = Buffer.from(JSON.stringify({...MANIFEST, version: '9.0.0'})).toString('base64');
  refuses(changed);
  refuses(signed(MANIFEST, {type: 'application/json'}));
  refuses(signed(MANIFEST, {signedType: 'application/json'}));
});

test('what is no signature is refused, not fallen over', () => {
  const envelope = signed(MANIFEST);
  refuses({...envelope, signatures: [{sig: 'AAAA'}]});
  refuses({...envelope, signatures: [{sig: '%%'}]});
  refuses({...envelope, signatures: []});
  refuses('no JSON');
  refuses('{}');
});

test('base64 is read to the byte', () => {
  assert.deepEqual(fromBase64('-_8='), Uint8Array.of(0xfb, 0xff));
  assert.equal(toBase64(Uint8Array.of(0xfb, 0xff)), '+/8=');
});
