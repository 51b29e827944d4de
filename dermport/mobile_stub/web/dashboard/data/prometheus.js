/** @file Prometheus' text format, read as far as this page needs it. */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = {n: '\n', '"': '"', '\\': '\\'};

/**
 * A figure.
 * @typedef {{labels: Object<string, string>, value: number}} Sample
 */

/**
 * Return every figure by its name.
 * @param {string} text the body of /metrics.
 * @returns {Map<string, Sample[]>}
 */
export function parseMetrics(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels, value] = line.startsWith('#') ? [] : (LINE.exec(line) ?? []);
    if (name) found.set(name, [...(found.get(name) ?? []), {labels: labelsOf(labels ?? ''), value: numberOf(value)}]);
  }
  return found;
}

/**
 * Return the quantile of a histogram, interpolated within its bucket as Prometheus' histogram_quantile does.
 * @param {Sample[]} buckets cumulative, each with the label `le`.
 * @param {number} q 0 to 1.
 * @returns {number|null} null where nothing was counted; the last bound where it is in the open bucket.
 */
export function quantile(buckets, q) {
  const sorted = buckets.map(({labels, value}) => [numberOf(labels.le), value]).sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const index = sorted.findIndex(([, count]) => count >= q * total);
  const [bound, count] = sorted[index];
  const [lower, below] = index > 0 ? sorted[index - 1] : [0, 0];
  return bound === Infinity ? lower : lower + ((bound - lower) * (q * total - below)) / (count - below || 1);
}

function labelsOf(text) {
  const pairs = [...text.matchAll(LABEL)].map(([, name, value]) => [
    name,
    value.replace(/\\(.)/g, (_, c) => ESCAPES[c] ?? c),
  ]);
  return Object.fromEntries(pairs);
}

function numberOf(text) {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}
