// Runs the JavaScript port for test_prep_ports.py: cases.json in, one result per case out, as JSON on stdout.
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [templates, cases] = process.argv.slice(2);
const {prepare} = await import(pathToFileURL(`${templates}/dermport-prep.js`));
const {strip} = await import(pathToFileURL(`${templates}/dermport-decode.js`));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function answer({pixels, width, height, spec, photo}) {
  if (pixels) return sha256(prepare({data: readFileSync(pixels), width, height}, spec));
  try {
    const {stripped, orientation} = strip(readFileSync(photo));
    return {stripped: Buffer.from(stripped).toString('base64'), orientation};
  } catch (error) {
    return {refused: error.code};
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(cases)).map(answer)));
