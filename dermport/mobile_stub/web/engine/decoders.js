import {decode} from './dermport-decode.js';
import {EngineError} from './errors.js';
import {sha256Hex} from './sha256.js';

const PROBES = new URL('probes.json', import.meta.url);
const FAR = 2; // levels of the mean of a channel; decoders that round otherwise stay far below, other colours are above
const PROGRESSIVE = '-progressive';

/**
 * What this browser decodes as the server does, found out on small known photos, one for each way of decoding
 * (probes.json; drawn and checked by tests/mobile_stub/web/probes.py).
 */
export class Decoders {
  #found;

  /** Use {@link Decoders.open}. @param {Map<string, 'equal'|'near'|'far'>} found by kind */
  constructor(found) {
    this.#found = found;
  }

  /** @returns {Promise<Decoders>} */
  static async open() {
    const {probes} = await (await fetch(PROBES)).json();
    const found = new Map();
    for (const probe of probes) found.set(probe.kind, await tried(probe));
    return new Decoders(found);
  }

  /**
   * @param {string} kind of a decoded photo
   * @returns {boolean} whether the pixels are the server's, to the byte
   * @throws {EngineError} "browser-differs": they are known to be others, and not by rounding
   */
  judge(kind) {
    const plain = kind.replace(PROGRESSIVE, '');
    const asked = plain === kind ? [plain] : [plain, `jpeg-ycc-22-11-11${PROGRESSIVE}`];
    const answers = asked.map((name) => this.#found.get(name));
    if (answers.includes('far')) {
      throw new EngineError(
        'browser-differs',
        `This browser shows a photo of this kind (${kind}) in other colours than the Jetson.`,
        'Save it as a plain RGB JPEG, or let the Jetson predict it.',
      );
    }
    return answers.every((answer) => answer === 'equal');
  }
}

async function tried({photo, sha256, mean}) {
  try {
    const image = await decode(Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0)));
    const rgb = opaque(image.read(0, 0, image.width, image.height));
    image.close();
    if (sha256Hex(rgb) === sha256) return 'equal';
    return mean.every((level, channel) => Math.abs(level - meanOf(rgb, channel)) < FAR) ? 'near' : 'far';
  } catch {
    return 'far';
  }
}

function opaque(rgba) {
  return Uint8Array.from({length: (rgba.length / 4) * 3}, (_, at) => rgba[Math.floor(at / 3) * 4 + (at % 3)]);
}

function meanOf(rgb, channel) {
  return rgb.reduce((sum, value, at) => (at % 3 === channel ? sum + value : sum), 0) / (rgb.length / 3);
}
