/** @file Scales from data to pixels, and the ticks of their axes. */

/**
 * Return a linear scale.
 * @param {[number, number]} domain
 * @param {[number, number]} range pixels.
 * @returns {function(number): number}
 */
export function linear([from, to], [start, end]) {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (value) => (factor === 0 ? (start + end) / 2 : start + (value - from) * factor);
}

/**
 * Return a logarithmic scale; values below the domain are put at its lower end.
 * @param {[number, number]} domain positive.
 * @param {[number, number]} range pixels.
 * @returns {function(number): number}
 */
export function logarithmic([from, to], range) {
  const scale = linear([Math.log10(from), Math.log10(to)], range);
  return (value) => scale(Math.log10(Math.max(value, from)));
}

/**
 * Return round numbers between two ends, about `count` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {number[]}
 */
export function ticks(from, to, count) {
  if (to <= from) return [from];
  const step = niceStep((to - from) / count);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  // Divided, not multiplied: 3 * 0.1 is 0.30000000000000004.
  return Array.from({length: last - first + 1}, (_, i) => (first + i) / (1 / step)).map((tick) =>
    Number(tick.toPrecision(12)),
  );
}

/**
 * Return at most `count` whole-number ticks from 0 to at least `most`.
 * @param {number} most
 * @param {number} count
 * @returns {number[]}
 */
export function countTicks(most, count) {
  const step = Math.max(1, niceStep(most / count));
  return Array.from({length: Math.ceil(most / step) + 1}, (_, i) => i * step);
}

/**
 * Return the lower end of an axis of shares: round, below `lowest`, and never so near to 1 that noise
 * looks like a fall.
 * @param {number} lowest
 * @returns {number}
 */
export function shareFloor(lowest) {
  return Math.max(0, Math.min(0.9, Math.floor(lowest * 10 + 1e-9) / 10));
}

/**
 * Return days (numbers, ms at midnight UTC) for the ticks of an axis, at most `count`, the last day among them.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {number[]}
 */
export function dayTicks(from, to, count) {
  const days = Math.round((to - from) / DAY);
  const step = DAY_STEPS.find((each) => days / each < count) ?? Math.ceil(days / (count - 1));
  return Array.from({length: Math.floor(days / step) + 1}, (_, i) => to - i * step * DAY).reverse();
}

/** Milliseconds of a day. */
export const DAY = 86_400_000;
const DAY_STEPS = [1, 2, 7, 14, 28, 91, 182];

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9));
  return factor * power;
}
