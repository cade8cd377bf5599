import { describe, expect, it } from '@jest/globals';

import type { OutgoingTask } from '../brokers/broker.port.js';
import { ManualClock } from '../clock/manual.clock.js';
import { OperationalError } from '../errors/task-queue.errors.js';
import { publishWithin } from './publish-attempts.js';

const POLICY = { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 };
const TASKS: OutgoingTask[] = [{ id: 'a', name: 'app.add', queue: 'celery', data: '{}' }];
const START = Date.UTC(2026, 0, 1);

/** A broker that is away for some attempts. */
class Flaky {
  readonly clock = new ManualClock(START);
  readonly description = 'redis://host:6379/0';
  /** When each attempt came, and whether it said that it is another one. */
  readonly attempts: [number, boolean][] = [];

  constructor(private readonly answers: readonly (Error | 'hang' | 'ok')[]) {}

  publish(_tasks: readonly OutgoingTask[], retrying = false): Promise<void> {
    const answer = this.answers[this.attempts.length] ?? this.answers.at(-1)!;
    this.attempts.push([this.clock.now() - START, retrying]);
    if (answer === 'hang') return new Promise(() => undefined);
    return answer === 'ok' ? Promise.resolve() : Promise.reject(answer);
  }

  run(policy: typeof POLICY | { maxRetries: null } | null = POLICY, timeout = 5_000) {
    const merged = policy === null ? null : { ...POLICY, ...policy };
    const outcome = publishWithin(this, TASKS, merged, timeout, this.clock);
    // Seen when it is awaited below.
    outcome.catch(() => undefined);
    return outcome;
  }
}

const away = new OperationalError('connect ECONNREFUSED to redis://:hunter2@host:6379/0');

describe('publishWithin', () => {
  it('publishes once, and leaves no timer', async () => {
    const broker = new Flaky(['ok']);
    await broker.run();
    expect(broker.attempts).toEqual([[0, false]]);
    expect(broker.clock.pendingTimers).toBe(0);
  });

  it("retries at Celery's intervals, and says so", async () => {
    const broker = new Flaky([away, away, away, 'ok']);
    const outcome = broker.run();
    await broker.clock.advanceAsync(1_000);
    await outcome;
    expect(broker.attempts).toEqual([
      [0, false],
      [0, true],
      [200, true],
      [600, true],
    ]);
    expect(broker.clock.pendingTimers).toBe(0);
  });

  it('gives up after the last retry, and names task, broker and fix without the password', async () => {
    const broker = new Flaky([away]);
    const outcome = broker.run();
    await broker.clock.advanceAsync(1_000);
    const error = await outcome.catch((thrown: unknown) => thrown as Error);
    expect(error).toBeInstanceOf(OperationalError);
    const { message } = error as Error;
    expect(message).toMatch(
      /^The task 'app.add' was not published: the broker redis:\/\/host:6379\/0 could not be reached in 4 attempts\. .*CELERY_BROKER_URL.*ECONNREFUSED/,
    );
    expect(message).not.toContain('hunter2');
    expect((error as Error).cause).toBe(away);
    expect(broker.clock.pendingTimers).toBe(0);
  });

  it('tries once without a policy', async () => {
    const broker = new Flaky([away]);
    await expect(broker.run(null)).rejects.toThrow(/could not be reached in one attempt/);
    expect(broker.attempts).toHaveLength(1);
  });

  it('never pauses longer than intervalMax, and stops at the timeout', async () => {
    const broker = new Flaky([away]);
    const outcome = broker.run({ maxRetries: null });
    await broker.clock.advanceAsync(5_000);
    await expect(outcome).rejects.toThrow(OperationalError);
    expect(broker.attempts.map(([at]) => at)).toEqual([0, 0, 200, 600, 1200, 2000, 3000, 4000]);
    expect(broker.clock.pendingTimers).toBe(0);
  });

  it('ends an attempt that does not come back', async () => {
    const broker = new Flaky(['hang']);
    const outcome = broker.run(POLICY, 1_500);
    await broker.clock.advanceAsync(1_500);
    await expect(outcome).rejects.toThrow(
      /gave no answer within the 1.5 s of task_publish_timeout/,
    );
    expect(broker.clock.pendingTimers).toBe(0);
  });

  it('does not retry what another try would not mend', async () => {
    const broken = new TypeError('broken');
    const broker = new Flaky([broken]);
    await expect(broker.run()).rejects.toBe(broken);
    expect(broker.attempts).toHaveLength(1);
    expect(broker.clock.pendingTimers).toBe(0);
  });
});
