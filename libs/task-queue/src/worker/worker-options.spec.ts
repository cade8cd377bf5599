import { availableParallelism, hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { parseSettings, type TaskQueueSettingsInput } from '../settings/index.js';
import { configuredQueues, resolveWorkerOptions, type WorkerOptions } from './worker-options.js';

function settingsOf(input: TaskQueueSettingsInput) {
  return parseSettings({ brokerUrl: 'memory://', ...input }, { source: 'test' }).settings;
}

function resolve(options: WorkerOptions = {}, input: TaskQueueSettingsInput = {}) {
  return resolveWorkerOptions(options, settingsOf(input));
}

const REDIS: TaskQueueSettingsInput = { brokerUrl: 'redis://localhost' };

const NO_LIMITS = {
  pool: 'async',
  maxTasksPerChild: null,
  maxMemoryPerChild: null,
  timeLimit: null,
  softTimeLimit: null,
};

describe('resolveWorkerOptions', () => {
  it('has defaults for everything', () => {
    expect(resolve()).toEqual({
      ...NO_LIMITS,
      concurrency: 10,
      queues: ['celery'],
      nodeName: `celery@${hostname()}`,
      logLevel: 'info',
    });
  });

  it('runs as many tasks at a time as the pool is good for', () => {
    expect(resolve({ pool: 'solo' }).concurrency).toBe(1);
    expect(resolve({ pool: 'solo', concurrency: 8 }).concurrency).toBe(1);
    expect(resolve({ pool: 'prefork' }, REDIS).concurrency).toBe(availableParallelism());
    expect(resolve({ pool: 'threads', concurrency: 3 }, REDIS).concurrency).toBe(3);
  });

  it.each(['prefork', 'threads'] as const)('refuses %s on memory://', (pool) => {
    expect(() => resolve({ pool })).toThrow(/does not go with memory:\/\//);
  });

  it('takes the settings, and options over them', () => {
    const input: TaskQueueSettingsInput = {
      workerConcurrency: 3,
      taskTimeLimit: 60,
      workerQueues: ['a', 'b'],
      workerName: 'set@x',
      workerLogLevel: 'error',
    };
    expect(resolve({}, input)).toEqual({
      ...NO_LIMITS,
      concurrency: 3,
      timeLimit: 60,
      queues: ['a', 'b'],
      nodeName: 'set@x',
      logLevel: 'error',
    });
    const options = {
      concurrency: 1,
      timeLimit: 5,
      queues: ['c'],
      hostname: 'said@%%',
      logLevel: 'debug',
    } as const;
    expect(resolve(options, input)).toEqual({
      ...NO_LIMITS,
      concurrency: 1,
      timeLimit: 5,
      queues: ['c'],
      nodeName: 'said@%',
      logLevel: 'debug',
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses a concurrency of %d', (concurrency) => {
    expect(() => resolve({ concurrency })).toThrow(ImproperlyConfigured);
    expect(() => resolve({ concurrency })).toThrow(/Correct -c or CELERY_WORKER_CONCURRENCY/);
  });

  describe('queues', () => {
    const taskQueues = ['high', 'low'];

    it('are all the configured ones, when none is asked for', () => {
      expect(resolve({}, { taskQueues }).queues).toEqual(['high', 'low']);
      expect(resolve({ queues: [] }, { taskQueues }).queues).toEqual(['high', 'low']);
      expect(resolve({}, { taskDefaultQueue: 'other' }).queues).toEqual(['other']);
    });

    it('are those asked for, each once', () => {
      expect(resolve({ queues: ['low', 'new', 'low'] }, { taskQueues }).queues).toEqual([
        'low',
        'new',
      ]);
    });

    it('are less those excluded', () => {
      expect(resolve({ excludeQueues: ['high', 'unknown'] }, { taskQueues }).queues).toEqual([
        'low',
      ]);
      expect(resolve({}, { taskQueues, workerExcludeQueues: ['low'] }).queues).toEqual(['high']);
    });

    it('must not all be excluded', () => {
      expect(() => resolve({ excludeQueues: ['high', 'low'] }, { taskQueues })).toThrow(
        'No queue is left to consume: high, low are all excluded. Correct -Q and -X.',
      );
    });

    it('must be configured when missing ones are not to be made', () => {
      const input = { taskQueues, taskCreateMissingQueues: false };
      expect(resolve({ queues: ['low'] }, input).queues).toEqual(['low']);
      expect(() => resolve({ queues: ['low', 'lwo'] }, input)).toThrow(
        "The queue 'lwo' is not configured, and task_create_missing_queues is false. Configured " +
          'are: high, low. Correct -Q, or add it to CELERY_TASK_QUEUES.',
      );
    });
  });
});

it('configuredQueues are the names in task_queues, else the default queue', () => {
  expect(configuredQueues(settingsOf({ taskQueues: [{ name: 'a' }, 'b'] }))).toEqual(['a', 'b']);
  expect(configuredQueues(settingsOf({ taskQueues: [] }))).toEqual(['celery']);
});
