import assert from 'node:assert/strict';
import {test} from 'node:test';
import {engine} from './dist.mjs';

const {quickerThan} = await engine('race.js');

/** Runs five times, taking so many milliseconds each. */
async function raced(mine, others) {
  const run = quickerThan(others, async (milliseconds) => ({milliseconds}));
  for (const milliseconds of mine) await run(milliseconds);
}

test('the slower one is stopped, with both times', async () => {
  const message = 'it takes 30.0 ms a photo, wasm 10.0 ms.';
  await assert.rejects(raced([9, 30, 30, 30, 30], [9, 10, 10, 10, 10]), {message});
});

test('the quicker one goes on, however long its first run compiled', async () => {
  await raced([5000, 9, 9, 9, 9], [20, 10, 10, 10, 10]);
});

test('too few photos tell nothing', async () => {
  await raced([50, 50, 50], [1, 1, 1]);
});
