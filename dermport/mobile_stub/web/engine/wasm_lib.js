/**
 * Takes the place of @litertjs/wasm-utils, which loads the wasm's script with importScripts or a <script>: a module
 * worker has neither. build.mjs turns that script into a module; this imports it.
 * @param {new (module: object) => T} constructor of the library's class
 * @param {string} script URL of the loader; the .wasm lies beside it
 * @returns {Promise<T>}
 * @template T
 */
export async function createWasmLib(constructor, script) {
  const {default: factory} = await import(script);
  const note = (text) => console.debug(text); // its chatter would come as errors
  const module = await factory({locateFile: (name) => new URL(name, script).href, print: note, printErr: note});
  return new constructor(module);
}
