import { randomUUID } from 'node:crypto';
import { describe } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BROKER, type Broker, TaskClient, TaskQueueModule } from 'nestjs-celery';
import type { TaskQueueSettingsInput } from 'nestjs-celery';
import { describeWithRedis, postgresUrl, redisUrl } from './stores.js';

/** A store that a test runs on, in a corner of its own. */
export interface StoreCase {
  readonly name: 'redis' | 'postgres';
  /** Settings for a client in this process. */
  readonly settings: TaskQueueSettingsInput;
  /** The same for a process of its own. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs the tests on every store that a worker process can share with this one. */
export function describeOnEachStore(title: string, tests: (store: () => StoreCase) => void): void {
  describe(`${title}: on postgres`, () => {
    tests(oncePerBlock('postgres', postgresUrl));
  });
  describeWithRedis(`${title}: on redis`, () => {
    tests(oncePerBlock('redis', redisUrl));
  });
}

/** A corner of the store at `url`. */
export function storeCase(name: StoreCase['name'], url: string): StoreCase {
  const corner = `e2e_${randomUUID().slice(0, 8)}`;
  const brokerTransportOptions =
    name === 'redis' ? { globalKeyprefix: `${corner}:` } : { schema: corner };
  return {
    name,
    settings: { brokerUrl: url, brokerTransportOptions },
    env: {
      CELERY_BROKER_URL: url,
      CELERY_BROKER_TRANSPORT_OPTIONS: JSON.stringify(brokerTransportOptions),
    },
  };
}

function oncePerBlock(name: StoreCase['name'], url: () => string): () => StoreCase {
  let made: StoreCase | undefined;
  return () => (made ??= storeCase(name, url()));
}

/** A web application, as far as tasks are concerned. */
export interface TestClient {
  readonly tasks: TaskClient;
  readonly broker: Broker;
  close(): Promise<void>;
}

export async function openClient(settings: TaskQueueSettingsInput): Promise<TestClient> {
  @Module({ imports: [TaskQueueModule.forRoot(settings)] })
  class ClientModule {}
  const app = await NestFactory.createApplicationContext(ClientModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  return {
    tasks: app.get(TaskClient),
    broker: app.get<Broker>(BROKER),
    close: () => app.close(),
  };
}
