/**
 * The manifest's rule: the score is the sum of the positive labels' probabilities, positive means score >= threshold.
 * @param {{task: {labels: {id: string, name: string}[], positive: string[]}, decision: ?{threshold: number}}} manifest
 * @param {Object<string, number>} probabilities by label id
 * @returns {{label: string, name: string, score: ?number, threshold: ?number, positive: ?boolean}} the most probable
 *     label; null where the model knows no decision
 */
export function decide({task, decision}, probabilities) {
  const best = task.labels.reduce((most, label) => (probabilities[label.id] > probabilities[most.id] ? label : most));
  if (!decision) return {label: best.id, name: best.name, score: null, threshold: null, positive: null};
  const score = task.positive.reduce((sum, id) => sum + probabilities[id], 0);
  const threshold = decision.threshold;
  return {label: best.id, name: best.name, score, threshold, positive: score >= threshold};
}
