import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OperationalError } from '../../errors/task-queue.errors.js';
import type { Lease } from '../broker.port.js';
import { ID_BYTES } from './lease-table.js';
import { ThreadLeaseKeeper, type ThreadLeaseKeeperOptions } from './thread.lease-keeper.js';

/**
 * A store of leases for the thread: it tells the test of every call over a channel, and does as
 * the ids say. `seen` counts renewals in memory that a blocked main thread can watch.
 */
const RENEWER = `
  const failures = new Map();
  export async function open({ channel, seen, openFails }) {
    const tell = new BroadcastChannel(channel);
    tell.unref();
    if (openFails) throw new Error('no driver');
    const counter = new Int32Array(seen);
    return {
      async renew(leases, duration) {
        tell.postMessage({ renewed: leases, duration });
        Atomics.add(counter, 0, 1);
        Atomics.notify(counter, 0);
        for (const { id } of leases) {
          if (id.startsWith('fails-') && (failures.get(id) ?? 0) < 3) {
            failures.set(id, (failures.get(id) ?? 0) + 1);
            throw new Error('the store is away');
          }
          if (id === 'crash' && !Atomics.exchange(counter, 1, 1)) {
            setImmediate(() => { throw new Error('crashed'); });
          }
          if (id === 'hang') await new Promise(() => setInterval(() => {}, 1000));
        }
        return leases.filter(({ id }) => id.startsWith('lost'));
      },
      async close() { tell.postMessage({ closed: true }); },
    };
  }
`;
const RENEWER_URL = `data:text/javascript,${encodeURIComponent(RENEWER)}`;

interface Report {
  readonly renewed?: readonly Lease[];
  readonly duration?: number;
  readonly closed?: boolean;
}

let keeper: ThreadLeaseKeeper | undefined;
let channel: BroadcastChannel;
let seen: SharedArrayBuffer;
let lines: string[];
let reports: Report[];
let channels = 0;

function lease(id: string, queue = 'q', token = `token-${id}`): Lease {
  return { id, queue, token };
}

async function start(more: Partial<ThreadLeaseKeeperOptions> = {}, openFails = false) {
  const note = (message: string): void => {
    lines.push(message);
    channel.dispatchEvent(new Event('line'));
  };
  keeper = await ThreadLeaseKeeper.start({
    renewerUrl: RENEWER_URL,
    renewerConfig: { channel: channel.name, seen, openFails },
    leaseDuration: 60,
    capacity: 4,
    logger: { debug: note, log: note, warn: note, error: note },
    ...more,
  });
  return keeper;
}

/** Resolves with the next call of the renewer that is as asked. */
async function report(test: (report: Report) => boolean): Promise<Report> {
  for (;;) {
    const [event] = (await once(channel, 'message')) as [MessageEvent<Report>];
    if (test(event.data)) {
      return event.data;
    }
  }
}

const renewalOf = (...ids: string[]): Promise<Report> =>
  report(({ renewed }) => ids.every((id) => renewed?.some((each) => each.id === id)));

async function line(pattern: RegExp): Promise<void> {
  while (!lines.some((each) => pattern.test(each))) {
    await once(channel, 'line');
  }
}

beforeEach(() => {
  channels += 1;
  channel = new BroadcastChannel(`lease-keeper-${process.pid}-${channels}`);
  seen = new SharedArrayBuffer(8);
  lines = [];
  reports = [];
  channel.addEventListener('message', (event) => {
    reports.push((event as MessageEvent<Report>).data);
  });
});

afterEach(async () => {
  await keeper?.close();
  keeper = undefined;
  channel.close();
});

describe('ThreadLeaseKeeper', () => {
  it('renews what is held, again and again, for the duration of a lease', async () => {
    const made = await start();
    made.add(lease('a', 'mail'));
    made.add(lease('b', 'other', 'tok'));
    const first = await renewalOf('a', 'b');
    expect(first.duration).toBe(60);
    expect(first.renewed).toEqual(
      expect.arrayContaining([
        { id: 'a', queue: 'mail', token: 'token-a' },
        { id: 'b', queue: 'other', token: 'tok' },
      ]),
    );
    await renewalOf('a', 'b');
  });

  it('does not renew what was removed', async () => {
    const made = await start();
    made.add(lease('a'));
    made.add(lease('b'));
    await renewalOf('a', 'b');
    made.remove(lease('a'));
    made.remove(lease('unknown'));
    const { renewed } = await report((each) => each.renewed?.length === 1);
    expect(renewed).toEqual([lease('b')]);
  });

  it('renews while the event loop is blocked, also what was added just before', async () => {
    const made = await start();
    made.add(lease('a', 'new-queue'));
    const counter = new Int32Array(seen);
    for (let renewals = 0; renewals < 3; renewals += 1) {
      // Blocks this thread until the other has renewed.
      expect(Atomics.wait(counter, 0, renewals, 5000)).not.toBe('timed-out');
    }
  });

  it('takes more leases than it was made for', async () => {
    const made = await start({ capacity: 1 });
    const ids = Array.from({ length: 50 }, (_, index) => `id-${index}`);
    ids.forEach((id) => made.add(lease(id, `queue-${id}`)));
    const { renewed } = await renewalOf(...ids);
    expect(renewed).toHaveLength(50);
    expect(renewed).toContainEqual(lease('id-49', 'queue-id-49'));
  });

  it('tells of a lost lease, once, and renews it no more', async () => {
    const made = await start();
    const lost: Lease[] = [];
    const told = new Promise<void>((resolve) => {
      made.onLost((each) => {
        lost.push(each);
        resolve();
      });
    });
    made.add(lease('lost-1'));
    made.add(lease('kept'));
    await told;
    expect(lost).toEqual([lease('lost-1')]);
    await report(({ renewed }) => renewed?.length === 1);
    expect(lost).toHaveLength(1);
  });

  it('does not take a lease for lost that was given back meanwhile', async () => {
    const made = await start();
    const lost: Lease[] = [];
    made.onLost((each) => void lost.push(each));
    made.add(lease('lost-1'));
    const counter = new Int32Array(seen);
    Atomics.wait(counter, 0, 0, 5000);
    // The loss is reported already, and not yet heard of.
    made.remove(lease('lost-1'));
    made.add(lease('kept'));
    await renewalOf('kept');
    await renewalOf('kept');
    expect(lost).toEqual([]);
  });

  it('tries again soon when the store is away, and says so once', async () => {
    const made = await start();
    made.add(lease('fails-1'));
    await line(/renewed again/);
    expect(lines).toEqual([
      'Leases could not be renewed, trying again: the store is away',
      'Leases are renewed again.',
    ]);
  });

  it('says that a lease with too long an id is not renewed', async () => {
    const made = await start();
    const long = lease('x'.repeat(ID_BYTES + 1));
    made.add(long);
    made.remove(long);
    made.add(lease('a'));
    const { renewed } = await renewalOf('a');
    expect(renewed).toHaveLength(1);
    expect(lines[0]).toMatch(/longer than 200 bytes.*Publish it with a shorter id/);
  });

  it('starts the thread again when it dies, with all that is held', async () => {
    const made = await start();
    made.add(lease('crash', 'one'));
    made.add(lease('a', 'two'));
    await line(/The lease thread stopped and is started again: Error: crashed/);
    const { renewed } = await renewalOf('crash', 'a');
    expect(renewed).toEqual(expect.arrayContaining([lease('crash', 'one'), lease('a', 'two')]));
  });

  it('refuses to start without its renewer, and does not try again', async () => {
    const refused = start({}, true);
    await expect(refused).rejects.toThrow(OperationalError);
    await expect(refused).rejects.toThrow(/could not be started \(no driver\)\. Check/);
    expect(lines).toEqual([]);
  });
});

describe('close', () => {
  it('ends the thread and the renewer, and may be called twice', async () => {
    const made = await start();
    made.add(lease('a'));
    await renewalOf('a');
    const closed = report((each) => each.closed === true);
    await Promise.all([made.close(), made.close()]);
    expect(await closed).toEqual({ closed: true });
    await made.close();
  });

  it('does not wait for a renewal that hangs', async () => {
    const made = await start();
    made.add(lease('hang'));
    await renewalOf('hang');
    await expect(made.close()).resolves.toBeUndefined();
  });

  it('while the thread is dead does not wait for its restart', async () => {
    const made = await start();
    made.add(lease('crash'));
    await line(/stopped and is started again/);
    await made.close();
    const before = reports.length;
    await made.close();
    expect(reports).toHaveLength(before);
  });
});
