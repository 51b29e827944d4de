import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {test} from 'node:test';

const WEB = new URL('../../../../dermport/mobile_stub/web/', import.meta.url);
const LANGUAGES = ['en', 'es', 'fr'];
const modules = await Promise.all(LANGUAGES.map((name) => import(new URL(`app/words/${name}.js`, WEB))));
const [english, ...others] = modules.map((module) => module.default);

test('every language has the same keys', () => {
  for (const other of others) assert.deepEqual(Object.keys(other), Object.keys(english));
});

test('every language has the same {values} in a text, and says something', () => {
  const values = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const other of others) {
    for (const [key, text] of Object.entries(other)) {
      assert.ok(text.trim(), key);
      assert.deepEqual(values(text), values(english[key]), key);
    }
  }
});

test('every key is used, and every key that is used is there', () => {
  const code = sources(new URL('app/', WEB)).join('\n');
  const said = [...code.matchAll(/'([a-z]+(?:[.-][a-z0-9-]+)+)'/g)].map(([, key]) => key);
  const begun = [...code.matchAll(/`([a-z]+\.[a-z.-]*)\$\{/g)].map(([, beginning]) => beginning);
  const isSaid = (key) => said.includes(key) || begun.some((beginning) => key.startsWith(beginning));
  // What views put together from a short name.
  const composed = /^(model|hint|language|settings)\./;
  assert.deepEqual(Object.keys(english).filter((key) => key.includes('.') && !isSaid(key) && !composed.test(key)), []);
  const spoken = [...code.matchAll(/\.say\('([^']+)'/g)].map(([, key]) => key);
  assert.deepEqual(spoken.filter((key) => !(key in english)), []);
});

test('every cause and fault of the server, and every hint of the engine, has words', () => {
  const causes = readFileSync(new URL('../../bundle/causes.py', WEB), 'utf8');
  const literal = (name) => causes.match(new RegExp(`^${name} = Literal\\[([^\\]]*)`, 'm'))[1];
  const named = (name) => [...literal(name).matchAll(/"([a-z-]+)"/g)].map(([, one]) => one);
  const faults = ['PreprocessingFault', 'PhotoFault', 'FileFault', 'RuntimeFault'].flatMap(named);
  assert.ok(faults.length > 20);
  const worded = Object.keys(english).filter((key) => key.startsWith('fault.'));
  assert.deepEqual(faults.map((code) => `fault.${code}`).sort(), worded.sort());
  assert.deepEqual([...named('CommonCause'), ...named('Cause')].filter((code) => !(`cause.${code}` in english)), []);
  const quality = JSON.parse(readFileSync(new URL('../../bundle/photo_quality.json', WEB)));
  assert.deepEqual(quality.hints.filter(({code}) => !(`hint.${code}` in english)), []);
});

function sources(folder) {
  return readdirSync(folder, {withFileTypes: true}).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === 'words' ? [] : sources(new URL(`${entry.name}/`, folder));
    return [readFileSync(new URL(entry.name, folder), 'utf8')];
  });
}
