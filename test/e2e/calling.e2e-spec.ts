import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TaskRevokedError, TimeoutError } from 'nestjs-celery';
import { openInProcess, type InProcessApp } from '../support/in-process.js';
import { describeOnEachStore, type StoreCase } from '../support/store-case.js';

describeOnEachStore('calling', describeCalling);

describe('on memory', () => {
  describeCalling(() => ({ name: 'redis', settings: { brokerUrl: 'memory://' }, env: {} }));
});

function describeCalling(store: () => StoreCase): void {
  describe('a task', () => {
    let app: InProcessApp;

    beforeAll(async () => {
      app = await openInProcess({ ...store().settings, resultExtended: true });
    });

    afterAll(() => app.close());

    it('with a countdown runs when it is over, not before', async () => {
      const begin = Date.now();
      const result = await app.tasks.applyAsync('fixture.add', [1, 2], { countdown: 0.5 });
      expect(await result.get({ timeout: 5 })).toBe(3);
      const took = Date.now() - begin;
      expect(took).toBeGreaterThanOrEqual(499);
      expect(took).toBeLessThan(2000);
    });

    it('with an eta runs at that time; one that is past means at once', async () => {
      const eta = new Date(Date.now() + 400);
      const later = await app.tasks.applyAsync('fixture.once', [], { eta });
      const past = await app.tasks.applyAsync('fixture.once', [], { eta: new Date(0) });
      await past.get({ timeout: 5 });
      expect(Date.now()).toBeLessThan(eta.getTime());
      await later.get({ timeout: 5 });
      expect(Date.now()).toBeGreaterThanOrEqual(eta.getTime() - 1);
    });

    it('that expires before its time ends REVOKED then, without running', async () => {
      const result = await app.tasks.applyAsync('fixture.add', [1, 1], {
        countdown: 60,
        expires: 0.5,
      });
      const error: unknown = await result.get({ timeout: 10 }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TaskRevokedError);
      expect((error as Error).message).toBe('expired');
      expect(await result.state()).toBe('REVOKED');
      expect(await result.failed()).toBe(false);
      expect(await app.broker.locate(result.id)).toBeUndefined();
    });

    it('shows its own states, in order, and the final one', async () => {
      const result = await app.tasks.applyAsync('fixture.progress', [3], { countdown: 0.2 });
      const states: string[] = [];
      const unsubscribe = result.onMessage((meta) => void states.push(meta.status));
      expect(await result.get({ timeout: 5 })).toBe(3);
      unsubscribe();
      expect(states.at(-1)).toBe('SUCCESS');
      expect(new Set(states.slice(0, -1))).toEqual(new Set(['PROGRESS']));
    });

    it('has the id that was asked for, and metadata of its run', async () => {
      const taskId = `order-${Date.now()}`;
      const result = await app.tasks.applyAsync('fixture.add', [4, 5], { taskId });
      expect(result.id).toBe(taskId);
      expect(await result.get({ timeout: 5 })).toBe(9);
      expect(await result.name()).toBe('fixture.add');
      expect(await result.args()).toEqual([4, 5]);
      expect(await result.queue()).toBe('celery');
      expect(await result.worker()).toMatch(/^celery@/);
    });

    it('that nobody knows is PENDING and does not exist; a waiting one exists', async () => {
      const unknown = app.tasks.result('no-such-id');
      expect(await unknown.state()).toBe('PENDING');
      expect(await unknown.exists()).toBe(false);
      await expect(unknown.get({ timeout: 0.2 })).rejects.toBeInstanceOf(TimeoutError);
      const waiting = await app.tasks.applyAsync('fixture.add', [1, 1], { countdown: 60 });
      expect(await waiting.state()).toBe('PENDING');
      expect(await waiting.exists()).toBe(true);
      await app.broker.purge('celery');
    });

    it('whose result is ignored stores nothing, for the task and for the call', async () => {
      const ignored = await app.tasks.applyAsync('fixture.add', [1, 1], { ignoreResult: true });
      const wanted = await app.tasks.applyAsync('fixture.noop', [], { ignoreResult: false });
      expect(await wanted.get({ timeout: 5 })).toBeNull();
      expect(await app.broker.results.get(ignored.id)).toBeUndefined();
      expect(await app.broker.results.get(wanted.id)).toMatch(/^\{"status":"SUCCESS"/);
    });

    it('can be forgotten', async () => {
      const result = await app.tasks.delay('fixture.add', 1, 1);
      await result.get({ timeout: 5 });
      await result.forget();
      expect(await app.tasks.result(result.id).state()).toBe('PENDING');
    });
  });
}
