// Ends a pool's child whose worker has died, when the child itself does not answer any more.
// Plain JavaScript, because a thread starts from a file and not from a loader.
import { workerData } from 'node:worker_threads';

/** Milliseconds between two looks. */
const INTERVAL = 1000;
/** How many looks a child that runs has to end by itself. */
const LOOKS = 3;

const { parent } = /** @type {{ parent: number }} */ (workerData);
let looks = 0;

setInterval(() => {
  // The children of a process that has died are given to another.
  looks = process.ppid === parent ? 0 : looks + 1;
  if (looks > LOOKS) {
    process.kill(process.pid, 'SIGKILL');
  }
}, INTERVAL);
