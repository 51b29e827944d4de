/**
 * Why the model cannot tell: bundle/abstention.py's rule, on the values of the model's input.
 * @param {object|null|undefined} rule manifest.abstention; absent: everything is answered
 * @param {Object<string, number>} values of the input (quality.js); NaN: cannot be said
 * @returns {{code: string, value: number, bound: number}[]} empty: it can tell
 */
export function reasonsNotToTell(rule, values) {
  if (!rule) return [];
  const found = rule.quality
    .filter(({code, side, threshold}) => (side === 'below' ? values[code] < threshold : values[code] > threshold))
    .map(({code, threshold}) => ({code: `quality:${code}`, value: values[code], bound: threshold}));
  const away = distance(rule.reference, values);
  if (away > rule.threshold) found.push({code: 'out_of_distribution', value: away, bound: rule.threshold});
  return found;
}

/** The Mahalanobis distance of an input's values from the reference; NaN where one of them cannot be said. */
function distance({names, mean, precision}, values) {
  const away = names.map((name, index) => (values[name] ?? NaN) - mean[index]);
  const terms = precision.flatMap((row, one) => row.map((weight, other) => away[one] * weight * away[other]));
  return Math.sqrt(Math.max(0, terms.reduce((sum, term) => sum + term, 0)));
}
