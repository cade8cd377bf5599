/** About 100 bytes as JSON. @typedef {{ number: number, text: string }} Payload */

const TEXT = 'a letter of the usual length '.repeat(3).slice(0, 76);

/** The queue of every sample. */
export const QUEUE = 'bench';

/** How many tasks are handed over in one go where that is measured. */
export const BULK = 1000;

/** What each task is called with. @param {number} number @returns {Payload} */
export function payload(number) {
  return { number, text: TEXT };
}
