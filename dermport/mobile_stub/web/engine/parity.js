const Z95 = 1.959963984540054;

/**
 * How far answers are from the original's, as dermport/bundle/parity.py has it; one that is not finite counts as changed by 1.
 * @param {number[][]} original probabilities by photo
 * @param {ArrayLike<number>[]} answers likewise
 * @returns {{photos: number, maxChange: number, meanChange: number, top1Agreement: number, agreementHigh: number}}
 *     agreementHigh: upper end of the agreement's 95 % Wilson interval
 */
export function compare(original, answers) {
  const changes = original.flatMap((row, photo) => row.map((value, index) => {
    const change = Math.abs(answers[photo][index] - value);
    return Number.isFinite(change) ? change : 1;
  }));
  const agree = original.filter((row, photo) => best(row) === best(answers[photo])).length;
  return {
    photos: original.length,
    maxChange: changes.reduce((most, change) => Math.max(most, change), 0),
    meanChange: changes.reduce((sum, change) => sum + change, 0) / changes.length,
    top1Agreement: agree / original.length,
    agreementHigh: wilsonHigh(agree, original.length),
  };
}

/**
 * Holds figures against the policy, as dermport/bundle/policy.py does: `fail` bounds of the agreement read its upper end.
 * @param {object} policy of dermport/bundle/policy.toml
 * @param {string} kind class of precision
 * @param {ReturnType<typeof compare>} figures
 * @returns {{status: 'pass'|'warn'|'fail', reasons: string[]}}
 */
export function judge(policy, kind, figures) {
  const rule = policy[kind];
  if (typeof rule !== 'object') return {status: 'fail', reasons: [`the app knows no bounds for "${kind}"`]};
  const failures = breaches(rule.fail ?? {}, figures, figures.agreementHigh);
  if (failures.length) return {status: 'fail', reasons: failures};
  const warnings = breaches(rule.warn ?? {}, figures, figures.top1Agreement);
  return {status: warnings.length ? 'warn' : 'pass', reasons: warnings};
}

function breaches(bounds, {maxChange, meanChange, top1Agreement}, agreement) {
  const reasons = [];
  if (bounds.max_change !== undefined && !(maxChange <= bounds.max_change)) {
    reasons.push(`a probability changes by ${maxChange.toPrecision(2)} (at most ${bounds.max_change})`);
  }
  if (bounds.mean_change !== undefined && !(meanChange <= bounds.mean_change)) {
    reasons.push(`probabilities change by ${meanChange.toPrecision(2)} on average (at most ${bounds.mean_change})`);
  }
  if (bounds.top1_agreement !== undefined && !(agreement >= bounds.top1_agreement)) {
    reasons.push(`top-1 agreement is ${top1Agreement.toFixed(3)} (at least ${bounds.top1_agreement})`);
  }
  return reasons;
}

function best(row) {
  return Array.from(row).reduce((most, value, index) => (value > row[most] ? index : most), 0);
}

function wilsonHigh(successes, trials) {
  const [share, spread] = [successes / trials, (Z95 * Z95) / trials];
  const centre = (share + spread / 2) / (1 + spread);
  const half = (Z95 / (1 + spread)) * Math.sqrt((share * (1 - share)) / trials + spread / (4 * trials));
  return Math.min(1, centre + half);
}
