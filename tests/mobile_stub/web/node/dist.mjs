// The built engine, in the folder that test_node.py names: by hand, `node --test tests/mobile_stub/web/node/`.
import {pathToFileURL} from 'node:url';

export const DIST = process.env.DERMPORT_WEB_DIST ?? 'dermport/mobile_stub/web/dist';

/** @returns {Promise<object>} the exports of a module of the engine */
export function engine(name) {
  return import(pathToFileURL(`${DIST}/engine/${name}`));
}

/** @returns {Uint8Array} bytes that look random and are always the same */
export function noise(length, seed = 1) {
  let state = seed;
  return Uint8Array.from({length}, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}
