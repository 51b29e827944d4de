/**
 * Writes the web app's folder: our sources, the JavaScript port of dermport-prep/1, LiteRT.js, the libraries for crypto and
 * storage, their licences, compressed variants, and files.json with the sha256 of every file. The same sources give the same
 * bytes.
 *
 *     npm ci && node build.mjs [--out FOLDER] [--no-compress]
 */
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join, posix, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {brotliCompressSync, constants, gzipSync} from 'node:zlib';
import {parse} from 'smol-toml';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../../..');
const PORT = join(ROOT, 'dermport/exporters/packages/templates/web');
const SOURCES = /\.(js|json|css|html|svg|png|webmanifest)$/;
const OURS = ['engine', 'lib', 'app', 'dashboard', 'icons'];
const COMPRESSED = /\.(js|json|css|html|svg|webmanifest|wasm|txt)$/;
const NOBLE = ['sha2.js', '_md.js', '_u64.js', 'utils.js'];
const WASM = ['litert_wasm_internal', 'litert_wasm_compat_internal'];
/** What the page never says by path: workers know no import maps. */
const SPECIFIERS = {
  '@litertjs/core': 'vendor/litert/index.js',
  '@litertjs/wasm-utils': 'engine/wasm_lib.js',
  '@noble/ed25519': 'vendor/noble-ed25519/index.js',
  '@noble/hashes/sha2.js': 'vendor/noble-hashes/sha2.js',
  '@noble/hashes/utils.js': 'vendor/noble-hashes/utils.js',
  idb: 'vendor/idb/index.js',
};
const APACHE = join(ROOT, 'dermport/exporters/packages/templates/apache-2.0.txt');
const LICENCES = [
  ['@litertjs/core', APACHE, 'Changed: imports by path; the wasm loaders export their factory.'],
  ['@noble/ed25519', 'LICENSE', 'Changed: imports by path.'],
  ['@noble/hashes', 'LICENSE', ''],
  ['idb', 'LICENSE', ''],
];

main();

function main() {
  const folder = {type: 'string', default: join(HERE, 'dist')};
  const {values} = parseArgs({options: {out: folder, 'no-compress': {type: 'boolean', default: false}}});
  const out = resolve(values.out);
  const files = gathered();
  const packed = values['no-compress'] ? new Map() : compressed(files, out);
  const listing = listed(files, packed);
  files.set('files.json', Buffer.from(`${JSON.stringify(listing, null, 1)}\n`));
  replace(out, new Map([...files, ...packed]));
  process.stdout.write(table(listing, packed.size > 0));
}

/** @returns {Map<string, Buffer>} every file of the app by its path */
function gathered() {
  const files = new Map([...ours(), ...port(), ...vendored()]);
  for (const [path, bytes] of files) if (path.endsWith('.js')) files.set(path, byPath(path, bytes));
  return new Map([...files].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function ours() {
  const top = readdirSync(HERE).filter((name) => SOURCES.test(name) && !name.startsWith('package'));
  const below = OURS.flatMap((folder) => walk(join(HERE, folder)).map((path) => join(folder, path)));
  return [...top, ...below].filter((path) => SOURCES.test(path)).map((path) => [posixed(path), read(HERE, path)]);
}

function port() {
  const policy = parse(read(ROOT, 'dermport/bundle/policy.toml').toString());
  return [
    ...['dermport-prep.js', 'dermport-decode.js', 'dermport-jpeg.js', 'dermport-abstention.js'].map((name) => [`engine/${name}`, read(PORT, name)]),
    ['engine/policy.json', Buffer.from(`${JSON.stringify(policy, null, 1)}\n`)],
    ['engine/quality.json', read(ROOT, 'dermport/bundle/photo_quality.json')],
    ['engine/activation_map.json', read(ROOT, 'dermport/bundle/activation_map.json')],
  ];
}

function vendored() {
  const litert = join(HERE, 'node_modules/@litertjs/core');
  return [
    ['vendor/litert/index.js', read(litert, 'dist/index.js')],
    ...WASM.map((name) => [`vendor/litert/${name}.wasm`, read(litert, `wasm/${name}.wasm`)]),
    // A module worker has no importScripts: the loader becomes a module.
    ...WASM.map((name) => [`vendor/litert/${name}.js`, exporting(read(litert, `wasm/${name}.js`))]),
    ['vendor/noble-ed25519/index.js', read(HERE, 'node_modules/@noble/ed25519/index.js')],
    ...NOBLE.map((name) => [`vendor/noble-hashes/${name}`, read(HERE, `node_modules/@noble/hashes/${name}`)]),
    ['vendor/idb/index.js', read(HERE, 'node_modules/idb/build/index.js')],
    ['vendor/versions.json', versions()],
    ['LICENCES.txt', licences()],
  ];
}

function exporting(loader) {
  return Buffer.concat([loader, Buffer.from('\nexport default ModuleFactory;\n')]);
}

function versions() {
  const found = LICENCES.map(([name]) => [name, packageOf(name).version]);
  return Buffer.from(`${JSON.stringify(Object.fromEntries(found))}\n`);
}

function licences() {
  const parts = LICENCES.map(([name, file, changes]) => {
    const {version, license} = packageOf(name);
    const text = readFileSync(resolve(HERE, 'node_modules', name, file), 'utf8').trim();
    return `${name} ${version} (${license})\n${changes}\n\n${text}\n`;
  });
  const head = 'dermport itself: Apache-2.0. What it brings along:\n';
  return Buffer.from([head, ...parts].join(`\n${'='.repeat(80)}\n\n`));
}

function packageOf(name) {
  return JSON.parse(read(HERE, `node_modules/${name}/package.json`));
}

/** Turns bare imports into paths, and drops the names of source maps that are not handed out. */
function byPath(path, bytes) {
  const text = bytes.toString().replace(/^\/\/# sourceMappingURL=.*$/gm, '');
  return Buffer.from(text.replace(/^((?:import|export)\b[^"'();]*\bfrom\s*)(["'])([^."'\n][^"'\n]*)\2/gm, (_, before, quote, name) => {
    if (!SPECIFIERS[name]) throw new Error(`${path} imports ${name}, which build.mjs does not know.`);
    const relative = posix.relative(posix.dirname(path), SPECIFIERS[name]);
    return `${before}${quote}${relative.startsWith('.') ? relative : `./${relative}`}${quote}`;
  }));
}

/** Compresses as small as it gets, which takes half a minute; what an earlier build has compressed is kept. */
function compressed(files, out) {
  const before = earlier(out);
  const packed = new Map();
  for (const [path, bytes] of files) {
    if (!COMPRESSED.test(path) || bytes.length < 1024) continue;
    const known = before.get(path) === sha256(bytes);
    for (const [end, pack] of [['.gz', gzip], ['.br', brotli]]) {
      const old = join(out, path + end);
      packed.set(path + end, known && existsSync(old) ? readFileSync(old) : pack(bytes));
    }
  }
  return packed;
}

function earlier(out) {
  const listing = join(out, 'files.json');
  if (!existsSync(listing)) return new Map();
  return new Map(JSON.parse(readFileSync(listing)).files.map(({path, sha256}) => [path, sha256]));
}

function gzip(bytes) {
  return gzipSync(bytes, {level: 9});
}

function brotli(bytes) {
  const {BROTLI_PARAM_QUALITY: quality, BROTLI_PARAM_LGWIN: window, BROTLI_PARAM_SIZE_HINT: hint} = constants;
  return brotliCompressSync(bytes, {params: {[quality]: 11, [window]: 24, [hint]: bytes.length}});
}

function listed(files, packed) {
  const entries = [...files].map(([path, bytes]) => {
    const sizes = {gzip: packed.get(`${path}.gz`)?.length, brotli: packed.get(`${path}.br`)?.length};
    return {path, bytes: bytes.length, sha256: sha256(bytes), ...sizes};
  });
  const names = entries.map(({path, sha256: hash}) => `${hash}  ${path}\n`).join('');
  return {schema: 'dermport-web-files/1', id: sha256(names), files: entries};
}

/** Writes all files to a folder beside `out`, and puts it in its place. */
function replace(out, files) {
  if (existsSync(out) && readdirSync(out).length && !existsSync(join(out, 'files.json'))) {
    throw new Error(`${out} is there and is no build of the web app: remove it, or choose another --out.`);
  }
  const part = `${out}.part`;
  rmSync(part, {recursive: true, force: true});
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(part, path)), {recursive: true});
    writeFileSync(join(part, path), bytes);
  }
  rmSync(out, {recursive: true, force: true});
  renameSync(part, out);
}

/** What a phone downloads, without the model: everything but the wasm build that it does not need. */
function table({id, files}, isCompressed) {
  const needed = files.filter(({path}) => !path.includes('compat') && !path.startsWith('dashboard/'));
  const parts = [
    ['LiteRT (one build of two)', needed.filter(({path}) => path.startsWith('vendor/litert/'))],
    ['engine, crypto, storage', needed.filter(({path}) => /^(engine|vendor\/(noble|idb))/.test(path))],
    ['page', needed.filter(({path}) => !/^(engine|vendor|LICENCES)/.test(path))],
    ['what a phone downloads', needed.filter(({path}) => path !== 'LICENCES.txt')],
  ];
  const rows = parts.map(([name, some]) => {
    const sizes = ['bytes', ...(isCompressed ? ['gzip', 'brotli'] : [])];
    return [name.padEnd(26), ...sizes.map((kind) => sum(some, kind).toLocaleString('en').padStart(12))].join('');
  });
  const kinds = isCompressed ? 'raw, gzip, brotli' : 'raw';
  const head = `${files.length} files, id ${id.slice(0, 16)}; bytes ${kinds}, without the model:`;
  return `${[head, ...rows].join('\n')}\n`;
}

function sum(files, kind) {
  return files.reduce((total, file) => total + (file[kind] ?? file.bytes), 0);
}

function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, {recursive: true}).filter((path) => statSync(join(folder, path)).isFile());
}

function read(...parts) {
  return readFileSync(join(...parts));
}

function posixed(path) {
  return path.split('\\').join('/');
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
