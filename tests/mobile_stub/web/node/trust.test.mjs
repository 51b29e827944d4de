import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {engine} from './dist.mjs';

const {admitted, installed, paired, utc, walked} = await engine('trust.js');
const {fromBase64} = await engine('signature.js');
const {cases, documents} = JSON.parse(readFileSync(new URL('../../../../docs/integration/golden/trust.json', import.meta.url)));

function after(trust, step) {
  if (step.roots) return walked(trust, step.roots.map((name) => JSON.parse(documents[name])));
  if (step.manifest) return admitted(trust, documents[step.manifest], step.now).trust;
  return installed(trust, documents[step.installed]) && trust;
}

for (const {name, pin, steps} of cases) {
  test(name, () => {
    let trust = paired(fromBase64(pin));
    for (const step of steps) {
      let refused = null;
      try {
        trust = structuredClone(after(trust, step)); // as IndexedDB keeps it
      } catch (error) {
        refused = error.code;
        assert.ok(error.remedy);
      }
      const {root, sequence} = trust;
      assert.deepEqual([refused, root?.version ?? 0, sequence], [step.refused, step.root_version, step.sequence], JSON.stringify(step));
    }
  });
}

test('times are written as signed documents have them', () => {
  assert.equal(utc(new Date(Date.UTC(2026, 11, 1, 12, 0, 0, 999))), '2026-12-01T12:00:00Z');
});
