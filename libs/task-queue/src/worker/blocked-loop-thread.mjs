// The guard's thread: kills the process when a task has blocked it beyond its hard time limit.
// Plain JavaScript, because a thread starts from a file and not from a loader.
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** @typedef {{ slotBytes: number, headerBytes: number }} Layout */
/** @typedef {{ slots: SharedArrayBuffer, file: string, layout: Layout }} GuardData */

/** Milliseconds between two looks. */
const INTERVAL = 100;
/** How many looks the main thread has to end an overdue task itself: half a second. */
const LOOKS = 5;

const { slots, file, layout } = /** @type {GuardData} */ (workerData);
const header = new Int32Array(slots);
const deadlines = new Float64Array(slots);
const bytes = Buffer.from(slots);
const count = slots.byteLength / layout.slotBytes;
/** Of each slot: the sequence number seen overdue, and how often. */
const overdue = new Int32Array(count);
const looks = new Int32Array(count);

/**
 * The note of a run whose deadline is over, or nothing.
 * @param {number} slot
 * @param {number} now
 * @returns {{ sequence: number, note: string } | undefined}
 */
function readOverdue(slot, now) {
  const head = (slot * layout.slotBytes) / 4;
  const sequence = Atomics.load(header, head);
  const length = header[head + 1] ?? 0;
  const deadline = deadlines[(slot * layout.slotBytes) / 8 + 1] ?? 0;
  if (sequence % 2 !== 0 || length === 0 || deadline > now) {
    return undefined;
  }
  const start = slot * layout.slotBytes + layout.headerBytes;
  const note = bytes.toString('utf8', start, start + length);
  return Atomics.load(header, head) === sequence ? { sequence, note } : undefined;
}

/** @param {string[]} notes */
function end(notes) {
  try {
    // Never through a link that somebody else has laid.
    const flags =
      constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW;
    const target = openSync(file, flags, 0o600);
    writeSync(target, notes.map((note) => `${note}\n`).join(''));
    fsyncSync(target);
    closeSync(target);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}

setInterval(() => {
  const now = Date.now();
  const notes = [];
  let isBlocked = false;
  for (let slot = 0; slot < count; slot += 1) {
    const found = readOverdue(slot, now);
    if (!found) {
      looks[slot] = 0;
      continue;
    }
    // Looks are counted, not time: after a pause of the whole process the main thread has its turn.
    looks[slot] = overdue[slot] === found.sequence ? (looks[slot] ?? 0) + 1 : 1;
    overdue[slot] = found.sequence;
    notes.push(found.note);
    isBlocked ||= (looks[slot] ?? 0) > LOOKS;
  }
  if (isBlocked) {
    end(notes);
  }
}, INTERVAL);

parentPort?.postMessage('ready');
