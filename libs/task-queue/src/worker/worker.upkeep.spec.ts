import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { OutgoingTask, ResultRecord } from '../brokers/broker.port.js';
import { MemoryBroker } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/index.js';
import { OperationalError } from '../errors/task-queue.errors.js';
import { WorkerUpkeep } from './worker.upkeep.js';

let clock: ManualClock;
let broker: MemoryBroker;
let upkeep: WorkerUpkeep;
let lines: string[];
let expired: string[];
let nudged: string[];
let onExpired: (id: string) => Promise<void>;

function task(id: string, fields: Partial<OutgoingTask> = {}): OutgoingTask {
  return { id, name: 'tests.task', queue: 'a', data: '{}', ...fields };
}

function revoked(id: string): ResultRecord {
  return { id, status: 'REVOKED', payload: '{"status":"REVOKED"}', ttl: null };
}

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker({ clock, leaseDuration: 30_000 });
  [lines, expired, nudged] = [[], [], []];
  onExpired = async (id) => void expired.push(id);
  const note = (message: string): void => void lines.push(message);
  upkeep = new WorkerUpkeep({
    broker,
    queues: ['a', 'b'],
    clock,
    logger: { debug: note, log: note, warn: note, error: note },
    checkInterval: 5000,
    expiredRecord: revoked,
    onExpired: (id) => onExpired(id),
    onReclaimed: (queue) => void nudged.push(queue),
  });
});

afterEach(async () => {
  upkeep.stop();
  await broker.close();
  if (clock.pendingTimers > 0) {
    throw new Error('The upkeep left a timer behind.');
  }
});

describe('WorkerUpkeep', () => {
  it('puts tasks of lost workers back, within one check interval', async () => {
    await broker.publish([task('a1'), task('b1', { queue: 'b' })]);
    await broker.fetch('a');
    await broker.fetch('b');
    upkeep.start();
    await clock.advanceAsync(29_999);
    expect(nudged).toEqual([]);
    await clock.advanceAsync(5001);
    expect(nudged).toEqual(['a', 'b']);
    expect(lines).toContain("Restoring 1 unacknowledged message(s) of lost workers in queue 'a'");
    expect((await broker.fetch('a')).delivery).toMatchObject({ redeliveries: 1 });
  });

  it('ends expired tasks, with their record, within a second', async () => {
    await broker.publish([task('a1', { expiresAt: clock.now() + 10_000 }), task('a2')]);
    upkeep.start();
    await clock.advanceAsync(9999);
    expect(expired).toEqual([]);
    await clock.advanceAsync(1001);
    expect(expired).toEqual(['a1']);
    expect(await broker.results.get('a1')).toContain('REVOKED');
    expect(await broker.locate('a2')).toBeDefined();
  });

  it('tells of every expired task, also when the telling fails at first', async () => {
    await broker.publish(
      ['1', '2', '3'].map((n) => task(`a-${n}`, { expiresAt: clock.now() + 1 })),
    );
    let failures = 2;
    onExpired = async (id) => {
      if (id === 'a-2' && failures > 0) {
        failures -= 1;
        throw new OperationalError('The result store is away.');
      }
      expired.push(id);
    };
    upkeep.start();
    await clock.advanceAsync(1000);
    expect(expired).toEqual(['a-1']);
    await clock.advanceAsync(2000);
    expect(expired).toEqual(['a-1', 'a-2', 'a-3']);
    expect(lines).toContain('Upkeep is made up for later: The result store is away.');
  });

  it('goes on after a round that failed', async () => {
    const reclaim = jest
      .spyOn(broker, 'reclaim')
      .mockRejectedValueOnce(new OperationalError('The store is away.'));
    upkeep.start();
    await clock.advanceAsync(5000);
    expect(lines).toEqual(['Upkeep is made up for later: The store is away.']);
    await clock.advanceAsync(5000);
    expect(reclaim.mock.calls).toEqual([['a'], ['a'], ['b']]);
  });

  it('never runs two rounds at a time', async () => {
    let end!: (ids: string[]) => void;
    const expire = jest
      .spyOn(broker, 'expire')
      .mockReturnValueOnce(new Promise((resolve) => (end = resolve)));
    upkeep.start();
    await clock.advanceAsync(4000);
    expect(expire).toHaveBeenCalledTimes(1);
    end([]);
    await clock.advanceAsync(1000);
    expect(expire).toHaveBeenCalledTimes(2);
  });

  it('stops, also in the middle of a round', async () => {
    let end!: (ids: string[]) => void;
    jest.spyOn(broker, 'expire').mockReturnValueOnce(new Promise((resolve) => (end = resolve)));
    upkeep.start();
    await clock.advanceAsync(1000);
    upkeep.stop();
    end([]);
    await clock.advanceAsync(10_000);
    expect(clock.pendingTimers).toBe(0);
  });
});
