import { createPostgresBackend, Queue, QueueEvents, Worker } from 'bullmq';

import { QUEUE } from './payload.mjs';

/**
 * BullMQ's classes on a scope, with BullMQ's defaults wherever the measure does not say otherwise.
 *
 * @typedef {import('../harness/brokers.mjs').Scope} Scope
 * @typedef {Pick<Queue, 'add' | 'addBulk' | 'getJob' | 'getJobCounts' | 'waitUntilReady'
 *   | 'close'>} RawQueue
 */

/** @param {Scope} scope @param {import('bullmq').DefaultJobOptions} defaultJobOptions */
export async function openQueue(scope, defaultJobOptions = {}) {
  const options = { ...placeOf(scope), defaultJobOptions };
  /** @type {RawQueue} */
  const queue = reporting(new Queue(QUEUE, options, backendOf(scope)));
  await queue.waitUntilReady();
  return queue;
}

/**
 * A worker that does not run yet.
 * @param {Scope} scope
 * @param {number} concurrency
 * @param {(job: import('bullmq').Job) => Promise<unknown>} processor
 */
export async function openWorker(scope, concurrency, processor) {
  const options = { ...placeOf(scope), concurrency, autorun: false };
  const worker = reporting(new Worker(QUEUE, processor, options, backendOf(scope)));
  await worker.waitUntilReady();
  return worker;
}

/** @param {Scope} scope */
export async function openQueueEvents(scope) {
  const events = reporting(new QueueEvents(QUEUE, placeOf(scope), backendOf(scope)));
  await events.waitUntilReady();
  return events;
}

/** `undefined` is BullMQ's default, Redis. @param {Scope} scope @returns {any} */
function backendOf({ broker }) {
  return broker === 'postgres' ? createPostgresBackend : undefined;
}

/** @param {Scope} scope @returns {any} */
function placeOf({ broker, name, url }) {
  return broker === 'postgres'
    ? { connection: { connectionString: url, schema: name, migrate: true } }
    : { connection: { url, maxRetriesPerRequest: null }, prefix: `${name}:bull` };
}

/**
 * @template {{ on(event: 'error', listener: (error: Error) => void): unknown }} T
 * @param {T} part
 */
function reporting(part) {
  part.on('error', (error) => console.error(`BullMQ: ${error.message}`));
  return part;
}
