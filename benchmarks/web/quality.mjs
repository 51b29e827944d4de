// Runs the web app's quality survey for quality.py: pixels on stdin, one JSON line of values for each photo on stdout.
import {readFileSync, readSync, writeSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [engine, side] = process.argv.slice(2);
const {Survey} = await import(pathToFileURL(`${engine}/quality.js`));
const {prepare} = await import(pathToFileURL(`${engine}/dermport-prep.js`));
const bounds = JSON.parse(readFileSync(`${engine}/quality.json`));
const size = Number(side);

function take(length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const got = readSync(0, bytes, at, length - at, null);
    if (!got) return null;
    at += got;
  }
  return bytes;
}

for (let head = take(8); head; head = take(8)) {
  const [width, height] = [head.readUInt32LE(0), head.readUInt32LE(4)];
  const rgba = take(width * height * 4);
  const survey = new Survey({width, height}, bounds);
  const read = survey.reading((left, top, across, down) => {
    const box = Buffer.alloc(across * down * 4);
    for (let y = 0; y < down; y++) {
      const from = ((top + y) * width + left) * 4;
      rgba.copy(box, y * across * 4, from, from + across * 4);
    }
    return box;
  });
  const tensor = prepare({width, height, read}, {size});
  const values = survey.values(tensor, size);
  writeSync(1, `${JSON.stringify({values, hints: survey.hints(tensor, size).map(({code}) => code)})}\n`);
}
