const SAMPLE = 4; // runs after which the quicker one is known

/**
 * Ends a self-test that takes longer than an earlier one did: a GPU that the CPU plays is no gain.
 * @param {number[]} others milliseconds of the earlier one's runs, in the same order
 * @param {(tensor: T) => Promise<{milliseconds: number}>} run
 * @returns {typeof run} the same, which throws where it has lost
 * @template T
 */
export function quickerThan(others, run) {
  const total = {mine: 0, other: 0};
  let runs = 0;
  return async (tensor) => {
    const answer = await run(tensor);
    if (runs > 0) { // the first run compiles
      total.mine += answer.milliseconds;
      total.other += others[runs];
    }
    runs++;
    if (runs === SAMPLE && total.mine > total.other) {
      throw new Error(`it takes ${perRun(total.mine)} ms a photo, wasm ${perRun(total.other)} ms.`);
    }
    return answer;
  };
}

function perRun(milliseconds) {
  return (milliseconds / (SAMPLE - 1)).toFixed(1);
}
