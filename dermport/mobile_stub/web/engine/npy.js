import {EngineError} from './errors.js';

/**
 * Reads NumPy's .npy file of uint8 values in C order.
 * @param {Uint8Array} bytes
 * @returns {{shape: number[], data: Uint8Array}} `data` is a view of `bytes`
 * @throws {EngineError} "damaged-file": it is none, or of other values
 */
export function readNpy(bytes) {
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (magic !== '\x93NUMPY' || bytes.length < 12) throw unreadable();
  const [at, length] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = String.fromCharCode(...bytes.subarray(at, at + length));
  const shape = /'shape': \(([0-9, ]*)\)/.exec(header)?.[1].split(',').filter((text) => text.trim()).map(Number);
  const data = bytes.subarray(at + length);
  const isPlain = /'descr': '\|u1'/.test(header) && /'fortran_order': False/.test(header);
  if (!isPlain || !shape || shape.reduce((product, side) => product * side, 1) !== data.length) throw unreadable();
  return {shape, data};
}

function unreadable() {
  const message = 'The golden tensors are no .npy file of uint8 values.';
  return new EngineError('damaged-file', message, 'Fetch the model again.');
}
