import { describe, expect, it } from '@jest/globals';

const NO_REDIS = 'no redis-server on the PATH and CELERY_TEST_REDIS_URL is not set';

/** Whether this run has a Redis. */
export function hasRedis(): boolean {
  return Boolean(process.env['CELERY_TEST_REDIS_URL']);
}

/**
 * The URL of the Redis of this run. Share it: choose a key prefix of your own.
 * @throws Error when there is none; put the tests into `describeWithRedis`.
 */
export function redisUrl(): string {
  return fromEnvironment('CELERY_TEST_REDIS_URL', `There is ${NO_REDIS}.`);
}

/**
 * The URL of the PostgreSQL of this run. Share it: choose a schema of your own.
 * @throws Error outside the Jest projects that start one.
 */
export function postgresUrl(): string {
  return fromEnvironment(
    'CELERY_TEST_POSTGRES_URL',
    "This Jest project has no PostgreSQL: give it the globalSetup 'test/support/stores.setup.mjs'.",
  );
}

/**
 * `describe` for tests that need a Redis. Without one they are skipped, and say why; they fail
 * instead when CELERY_TEST_REQUIRE_ALL is 1.
 */
export function describeWithRedis(name: string, tests: () => void): void {
  // oxlint-disable jest/valid-title, jest/valid-describe-callback, jest/no-disabled-tests
  if (hasRedis()) {
    describe(name, tests);
  } else if (process.env['CELERY_TEST_REQUIRE_ALL'] === '1') {
    describe(name, () => {
      it('has a Redis', () => {
        expect(`CELERY_TEST_REQUIRE_ALL is 1, but there is ${NO_REDIS}.`).toBe('');
      });
    });
  } else {
    describe.skip(`${name} (skipped: ${NO_REDIS})`, tests);
  }
  // oxlint-enable jest/valid-title, jest/valid-describe-callback, jest/no-disabled-tests
}

function fromEnvironment(variable: string, otherwise: string): string {
  const value = process.env[variable];
  if (!value) {
    throw new Error(otherwise);
  }
  return value;
}
