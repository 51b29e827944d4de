// The web app's survey for test_photo_quality.py: node photo_quality.mjs FOLDER; FOLDER holds both modules, the bounds
// and cases.json. Prints one list of values and hints for each case.
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const folder = process.argv[2];
const {Survey} = await import(pathToFileURL(`${folder}/quality.mjs`));
const {prepare} = await import(pathToFileURL(`${folder}/dermport-prep.mjs`));
const bounds = JSON.parse(readFileSync(`${folder}/photo_quality.json`));

function look({pixels, width, height, spec}) {
  const rgba = new Uint8ClampedArray(readFileSync(pixels));
  const survey = new Survey({width, height}, bounds);
  const read = survey.reading((left, top, across, down) => {
    const box = new Uint8ClampedArray(across * down * 4);
    for (let y = 0; y < down; y++) {
      const from = ((top + y) * width + left) * 4;
      box.set(rgba.subarray(from, from + across * 4), y * across * 4);
    }
    return box;
  });
  const tensor = prepare({width, height, read}, spec);
  return {values: survey.values(tensor, spec.size), hints: survey.hints(tensor, spec.size).map(({code}) => code)};
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(`${folder}/cases.json`)).map(look)));
