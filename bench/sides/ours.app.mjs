import 'reflect-metadata';

import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { loadLibrary } from '../harness/library.mjs';
import { CallMeter } from './call.meter.mjs';
import { QUEUE } from './payload.mjs';

/** An application with our library, as its users write one; decorators are applied by hand. */

const { SharedTask, TaskClient, TaskNamespace, TaskQueueModule, TaskWorker } = await loadLibrary();

export const meter = new CallMeter();

export class BenchTasks {
  /** Without a result. @param {import('./payload.mjs').Payload} _payload */
  run(_payload) {
    meter.mark();
  }

  /** With a result. @param {import('./payload.mjs').Payload} given @returns {number} */
  answer(given) {
    meter.mark();
    return given.number;
  }
}

/** @param {'run' | 'answer'} method @param {import('nestjs-celery').SharedTaskOptions} options */
function makeTask(method, options) {
  const descriptor = Object.getOwnPropertyDescriptor(BenchTasks.prototype, method);
  SharedTask(options)(BenchTasks.prototype, method, /** @type {any} */ (descriptor));
}

makeTask('run', { ignoreResult: true });
makeTask('answer', {});
TaskNamespace('bench.tasks')(BenchTasks);
Injectable()(BenchTasks);

/**
 * @param {import('../harness/brokers.mjs').Scope} scope
 * @param {boolean} withTasks - Whether the process can run the tasks; a producer need not.
 */
export async function openApp({ broker, name, url }, withTasks) {
  const place = broker === 'postgres' ? { schema: name } : { globalKeyprefix: `${name}:` };
  // oxlint-disable-next-line typescript/no-extraneous-class -- Decorated by hand, below.
  class BenchModule {}
  Module({
    imports: [
      TaskQueueModule.forRoot({
        brokerUrl: url,
        brokerTransportOptions: place,
        ...(broker === 'postgres' ? {} : { resultBackendTransportOptions: place }),
        taskDefaultQueue: QUEUE,
      }),
    ],
    providers: withTasks ? [BenchTasks] : [],
  })(BenchModule);
  const app = await NestFactory.createApplicationContext(BenchModule, {
    logger: ['warn', 'error', 'fatal'],
  });
  return { app, client: app.get(TaskClient), worker: app.get(TaskWorker) };
}
