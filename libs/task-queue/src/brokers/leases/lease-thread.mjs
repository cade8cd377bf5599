// The lease thread: renews the leases found in the shared tables until it is told to stop.
// Plain JavaScript, because a thread starts from a file and not from a loader.
import { parentPort, workerData } from 'node:worker_threads';

/** @typedef {{ id: string, queue: string, token: string }} Lease */
/** @typedef {{ renew(leases: Lease[], durationMs: number): Promise<Lease[]>, close(): Promise<void> }} Renewer */
/** @typedef {{ slots: SharedArrayBuffer }} SharedLeaseTable */
/** @typedef {{ slotBytes: number, headerInts: number, idBytes: number }} Layout */
/** @typedef {{ table?: SharedLeaseTable, queue?: string, close?: true }} Order */

const { renewerUrl, renewerConfig, durationMs, layout } =
  /** @type {{ renewerUrl: string, renewerConfig: unknown, durationMs: number, layout: Layout }} */ (
    workerData
  );
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

/** @type {Int32Array[]} */
const headers = [];
/** @type {Buffer[]} */
const texts = [];
/** @type {string[]} */
const queues = [];
const state = { closing: false };
/** @type {(() => void) | undefined} */
let endPause;

/**
 * Reads one slot, or nothing when it is empty or just being written: such a lease is younger
 * than one round and is renewed in the next.
 * @param {number} table
 * @param {number} slot
 * @returns {Lease | undefined}
 */
function readSlot(table, slot) {
  const header = /** @type {Int32Array} */ (headers[table]);
  const bytes = /** @type {Buffer} */ (texts[table]);
  const head = (slot * layout.slotBytes) / 4;
  const before = Atomics.load(header, head);
  const idLength = header[head + 1] ?? 0;
  if (before % 2 !== 0 || idLength === 0) {
    return undefined;
  }
  const start = slot * layout.slotBytes + layout.headerInts * 4;
  const tokenStart = start + layout.idBytes;
  const id = bytes.toString('utf8', start, start + idLength);
  const token = bytes.toString('utf8', tokenStart, tokenStart + (header[head + 2] ?? 0));
  const queue = queues[header[head + 3] ?? 0];
  return Atomics.load(header, head) === before && queue !== undefined
    ? { id, queue, token }
    : undefined;
}

/** @returns {Lease[]} */
function heldLeases() {
  /** @type {Lease[]} */
  const leases = [];
  for (let table = 0; table < headers.length; table += 1) {
    const slots = /** @type {Buffer} */ (texts[table]).length / layout.slotBytes;
    for (let slot = 0; slot < slots; slot += 1) {
      const lease = readSlot(table, slot);
      if (lease) {
        leases.push(lease);
      }
    }
  }
  return leases;
}

/** @param {number} ms */
function pause(ms) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    })
  );
}

port.on('message', (/** @type {Order} */ order) => {
  if (order.table) {
    headers.push(new Int32Array(order.table.slots));
    texts.push(Buffer.from(order.table.slots));
  }
  if (order.queue !== undefined) {
    queues.push(order.queue);
  }
  if (order.close) {
    state.closing = true;
    endPause?.();
  }
});

const { open } = /** @type {{ open: (config: unknown) => Promise<Renewer> }} */ (
  await import(renewerUrl)
);
const renewer = await open(renewerConfig);
port.postMessage({ ready: true });

// A third of the lease, and sooner after a round that failed: two thirds are left to try again.
const interval = durationMs / 3;
const intervalAfterFailure = Math.min(1000, interval);
let failing = false;
while (!state.closing) {
  await pause(failing ? intervalAfterFailure : interval);
  if (state.closing) {
    break;
  }
  const wasFailing = failing;
  try {
    const leases = heldLeases();
    const lost = leases.length > 0 ? await renewer.renew(leases, durationMs) : [];
    failing = failing && leases.length === 0;
    lost.forEach((lease) => port.postMessage({ lost: lease }));
  } catch (error) {
    failing = true;
    // Said once: the log need not hear of every attempt.
    if (!wasFailing) {
      port.postMessage({ failed: error instanceof Error ? error.message : String(error) });
    }
  }
  if (wasFailing && !failing) {
    port.postMessage({ recovered: true });
  }
}
await renewer.close();
port.close();
