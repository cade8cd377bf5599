import { inspect } from 'node:util';

import type {
  BrokerLogger,
  BrokerOptions,
} from '../../libs/task-queue/src/brokers/broker-options.interface.js';
import { SystemClock } from '../../libs/task-queue/src/clock/index.js';

/** Options of a driver for tests: the system's clock, and a log that only tells of errors. */
export function brokerOptions(url: string, fields: Partial<BrokerOptions> = {}): BrokerOptions {
  return {
    url,
    leaseDuration: 30_000,
    connectionTimeout: 5_000,
    clock: new SystemClock(),
    logger: silentLogger(),
    transportOptions: {},
    ...fields,
  };
}

/** A log that says nothing; shown on the error output with CELERY_TEST_LOG=1. */
export function silentLogger(): BrokerLogger {
  const say =
    process.env['CELERY_TEST_LOG'] === '1'
      ? (level: string) => (message: string) =>
          void process.stderr.write(
            `[${level}] ${typeof message === 'string' ? message : inspect(message)}\n`,
          )
      : () => () => undefined;
  return { debug: say('debug'), log: say('log'), warn: say('warn'), error: say('error') };
}
