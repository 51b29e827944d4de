/** The messages of the app and of the dashboard, and who says them. */
import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {test} from 'node:test';
import {I18n} from '../../../../dermport/mobile_stub/web/lib/i18n.js';

const WEB = new URL('../../../../dermport/mobile_stub/web/', import.meta.url);
// What views put together from a short name.
const COMPOSED = {
  app: /^(model|hint|language|settings)\./,
  dashboard: /^language\.name$|^(models|rollouts)\.[a-z]+\.(title|words)$/,
};
const catalogues = {app: await cataloguesOf('app'), dashboard: await cataloguesOf('dashboard')};

for (const [page, {en: english, ...others}] of Object.entries(catalogues)) {
  test(`${page}: every language has the same keys`, () => {
    for (const other of Object.values(others)) assert.deepEqual(Object.keys(other), Object.keys(english));
  });

  test(`${page}: every language has the same {values} in a message, and says something`, () => {
    for (const [tag, other] of Object.entries(others)) {
      for (const [key, message] of Object.entries(other)) {
        assert.ok(formsOf(message).every((text) => text.trim()), key);
        assert.deepEqual(valuesOf(message), valuesOf(english[key]), `${tag} ${key}`);
      }
    }
  });

  test(`${page}: what is counted has every plural form of the language`, () => {
    for (const [tag, messages] of Object.entries({en: english, ...others})) {
      // "many" is of millions, which are said as "other" is.
      const needed = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.filter((form) => form !== 'many');
      for (const [key, message] of Object.entries(messages)) {
        if (typeof message === 'object') needed.forEach((form) => assert.ok(message[form], `${tag} ${key} ${form}`));
        else assert.equal(typeof english[key], 'string', key);
      }
    }
  });

  test(`${page}: every key is used, and every key that is used is there`, () => {
    const code = sources(new URL(`${page}/`, WEB)).join('\n');
    const said = [...code.matchAll(/['"]([a-z]+(?:[.-][a-z0-9-]+)+)['"]/g)].map(([, key]) => key);
    const begun = [...code.matchAll(/`([a-z]+\.[a-z.-]*)\$\{/g)].map(([, beginning]) => beginning);
    const isSaid = (key) => said.includes(key) || begun.some((beginning) => key.startsWith(beginning));
    const unsaid = Object.keys(english).filter((key) => key.includes('.') && !isSaid(key));
    assert.deepEqual(unsaid.filter((key) => !COMPOSED[page].test(key)), []);
    const spoken = [...code.matchAll(/(?:i18n\.t\(|data-t=)['"]([^'"]+)['"]/g)].map(([, key]) => key);
    assert.ok(spoken.length > 50);
    assert.deepEqual(spoken.filter((key) => !(key in english)), []);
  });
}

test('every cause and fault of the server, and every hint of the engine, has words', () => {
  const causes = readFileSync(new URL('../../bundle/causes.py', WEB), 'utf8');
  const literal = (name) => causes.match(new RegExp(`^${name} = Literal\\[([^\\]]*)`, 'm'))[1];
  const named = (name) => [...literal(name).matchAll(/"([a-z-]+)"/g)].map(([, one]) => one);
  const faults = ['PreprocessingFault', 'PhotoFault', 'FileFault', 'RuntimeFault'].flatMap(named);
  assert.ok(faults.length > 20);
  const worded = Object.keys(catalogues.app.en).filter((key) => key.startsWith('fault.'));
  assert.deepEqual(faults.map((code) => `fault.${code}`).sort(), worded.sort());
  assert.deepEqual([...named('CommonCause'), ...named('Cause')].filter((code) => !(`cause.${code}` in catalogues.app.en)), []);
  const quality = JSON.parse(readFileSync(new URL('../../bundle/photo_quality.json', WEB)));
  assert.deepEqual(quality.hints.filter(({code}) => !(`hint.${code}` in catalogues.app.en)), []);
});

test('the first language that is spoken is taken, in the reader’s own form', () => {
  const spoken = (...choice) => new I18n(catalogues.dashboard, ...choice);
  assert.deepEqual([['de', 'fr-CA', 'en'], ['constructor'], []].map((wanted) => spoken('', wanted).language), ['fr', 'en', 'en']);
  assert.deepEqual(['auto', 'es', 'xx'].map((chosen) => spoken(chosen, ['fr']).language), ['fr', 'es', 'fr']);
  assert.equal(spoken('en', ['fr', 'en-GB']).locale, 'en-GB');
  assert.equal(spoken('es', ['fr', 'en-GB']).locale, 'es');
  assert.deepEqual(spoken('', []).languages, [['en', 'English'], ['es', 'Español'], ['fr', 'Français']]);
});

test('messages count', (context) => {
  const error = context.mock.method(console, 'error', () => {});
  const en = {n: {one: '{n} photo', other: '{n} photos'}, change: 'largest |Δp| {x}'};
  const i18n = new I18n({en}, '', ['en-GB']);
  assert.deepEqual([0, 1, 1200].map((n) => i18n.t('n', {n})), ['0 photos', '1 photo', '1,200 photos']);
  assert.equal(i18n.t('change', {x: 'a'}).replaceAll('\u2060', ''), 'largest |Δp| a');
  assert.deepEqual([i18n.tOr('change'), i18n.tOr('no', 'nothing'), i18n.has('n'), i18n.has('m')].slice(1), ['nothing', true, false]);
  assert.equal(error.mock.callCount(), 0);
  assert.equal(i18n.t('no.such.message'), 'no.such.message');
  assert.equal(error.mock.callCount(), 1, 'which fails the tests of both pages');
});

async function cataloguesOf(page) {
  const read = async (tag) => [tag, (await import(new URL(`${page}/messages/${tag}.js`, WEB))).default];
  return Object.fromEntries(await Promise.all(['en', 'es', 'fr'].map(read)));
}

function formsOf(message) {
  return typeof message === 'string' ? [message] : Object.values(message);
}

function valuesOf(message) {
  return [...new Set(JSON.stringify(message).match(/\{\w+\}/g) ?? [])].sort();
}

function sources(folder) {
  return readdirSync(folder, {withFileTypes: true}).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === 'messages' ? [] : sources(new URL(`${entry.name}/`, folder));
    return [readFileSync(new URL(entry.name, folder), 'utf8')];
  });
}
