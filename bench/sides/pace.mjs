import { setTimeout as pause } from 'node:timers/promises';

import { BULK } from './payload.mjs';

/**
 * The three ways to hand over tasks, and the way to wait for results: the same loops for both
 * sides. Rates are tasks per second; times are milliseconds.
 */

/** @param {number} count @param {(number: number) => Promise<unknown>} add */
export async function oneByOne(count, add) {
  for (let number = 0; number < count; number += 1) {
    await add(number);
  }
}

/** Keeps 100 calls under way. @param {number} count @param {(n: number) => Promise<unknown>} add */
export async function hundredInFlight(count, add) {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += 1;
      await add(next);
    }
  };
  await Promise.all(Array.from({ length: 100 }, lane));
}

/**
 * In bulks of 1,000, one after the other.
 * @param {number} count
 * @param {(from: number, size: number) => Promise<unknown>} addBulk
 */
export async function inBulks(count, addBulk) {
  for (let from = 0; from < count; from += BULK) {
    await addBulk(from, Math.min(BULK, count - from));
  }
}

/**
 * @param {number} warmup - Tasks before the clock starts.
 * @param {number} count
 * @param {(count: number) => Promise<void>} work
 * @returns {Promise<number>} Tasks per second.
 */
export async function rateOf(warmup, count, work) {
  await work(warmup);
  const start = performance.now();
  await work(count);
  return count / ((performance.now() - start) / 1000);
}

/**
 * Calls one task after the other and waits for each result, with a rest in between.
 *
 * @param {{ warmup: number, samples: number, pause: number }} sizes
 * @param {(number: number) => Promise<unknown>} callAndGet
 * @returns {Promise<number[]>} Milliseconds of each call.
 */
export async function timesOf(sizes, callAndGet) {
  const times = [];
  for (let number = 0; number < sizes.warmup + sizes.samples; number += 1) {
    const start = performance.now();
    const answer = await callAndGet(number);
    const time = performance.now() - start;
    if (answer !== number) {
      throw new Error(`The result of call ${number} is ${String(answer)}.`);
    }
    if (number >= sizes.warmup) {
      times.push(time);
    }
    await pause(sizes.pause);
  }
  return times;
}
