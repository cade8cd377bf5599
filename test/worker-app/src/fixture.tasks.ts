import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Reject, SharedTask, TaskContext, TaskNamespace } from 'nestjs-celery';

/** An error that says when to come back, as an HTTP client's does for 429. */
export class TooManyRequests extends Error {
  constructor(readonly retryAfter: number | Date) {
    super('429 Too Many Requests');
  }
}

/** Tasks for the tests that run a worker as a process of its own. */
@Injectable()
@TaskNamespace('fixture')
export class FixtureTasks {
  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask({ ignoreResult: true })
  noop(): void {}

  /** Notes that it began, then takes `seconds` without blocking. */
  @SharedTask()
  async nap(seconds: number, value: unknown = null): Promise<unknown> {
    this.note('begin');
    await delay(seconds * 1000);
    this.note('end');
    return value;
  }

  /** Notes that it began, then blocks the event loop for `seconds`. */
  @SharedTask()
  block(seconds: number): string {
    this.note('begin');
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      // Busy on purpose.
    }
    return 'unblocked';
  }

  /** Notes that it ran. */
  @SharedTask()
  once(): string {
    this.note('begin');
    return TaskContext.current()?.request.id ?? '';
  }

  /** Dies with its process. */
  @SharedTask({ acksLate: false })
  exits(): void {
    this.note('begin');
    process.exit(7);
  }

  @SharedTask()
  pid(): number {
    return process.pid;
  }

  /** Waits until it is told to end, and says why, or throws it. */
  @SharedTask({ bind: true })
  async untilAborted(self: TaskContext, throws = false): Promise<string> {
    this.note('begin');
    const { signal } = self;
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    if (throws) {
      signal.throwIfAborted();
    }
    return (signal.reason as Error).name;
  }

  @SharedTask()
  never(): Promise<never> {
    this.note('begin');
    return new Promise(() => {
      // Keeps the process busy for ever.
      setInterval(() => undefined, 1000);
    });
  }

  @SharedTask({ bind: true })
  async progress(self: TaskContext, total: number): Promise<number> {
    for (let current = 1; current <= total; current += 1) {
      await self.updateState('PROGRESS', { current, total });
    }
    return total;
  }

  @SharedTask()
  throwsString(): void {
    // oxlint-disable-next-line no-throw-literal -- what users do
    throw 'just a string';
  }

  @SharedTask()
  throwsUndefined(): void {
    // oxlint-disable-next-line no-throw-literal -- what users do
    throw undefined;
  }

  @SharedTask()
  throwsRange(): void {
    throw new RangeError('out of range');
  }

  @SharedTask()
  returnsFunction(): unknown {
    return { handlers: [() => 1] };
  }

  @SharedTask()
  returnsNothing(): void {}

  @SharedTask()
  returnsTyped(): unknown {
    return { at: new Date(0), big: 12n, bytes: Buffer.from('ab'), set: new Set([1]) };
  }

  /** Succeeds after `failures` retries, with what it saw in its last run. */
  @SharedTask({ bind: true })
  flaky(self: TaskContext, failures: number, pause: number): unknown {
    const { eta, expires, headers, id, parentId, priority, queue, retries, rootId } = seenBy(self);
    if (retries < failures) {
      self.retry({ exc: new RangeError(`run ${retries}`), countdown: pause });
    }
    return { eta, expires, headers, id, parentId, priority, queue, retries, rootId };
  }

  @SharedTask({ bind: true, maxRetries: 3 })
  hopeless(self: TaskContext, hasError: boolean): void {
    const exc = hasError ? new RangeError(`run ${self.request.retries}`) : undefined;
    self.retry({ exc, countdown: 0 });
  }

  @SharedTask({ bind: true })
  movesOn(self: TaskContext, step: number): unknown {
    if (step < 3) {
      self.retry({ args: [step + 1], countdown: 0, priority: step, headers: { step } });
    }
    return { step, ...seenBy(self) };
  }

  @SharedTask({ autoretryFor: [RangeError], retryKwargs: { maxRetries: 2, countdown: 0 } })
  automatic(kind: 'range' | 'type'): void {
    const message = `run ${TaskContext.current()?.request.retries}`;
    throw kind === 'range' ? new RangeError(message) : new TypeError(message);
  }

  @SharedTask({
    bind: true,
    retryDelay: (error) => (error instanceof TooManyRequests ? error.retryAfter : undefined),
  })
  limited(self: TaskContext, retryAfter: number | Date): number {
    if (self.request.retries === 0) {
      throw new TooManyRequests(retryAfter);
    }
    return Date.now();
  }

  @SharedTask({ bind: true })
  secondPass(self: TaskContext): string {
    if (!self.request.deliveryInfo.redelivered) {
      throw new Reject('first pass', true);
    }
    return 'second-pass';
  }

  @SharedTask({ acksOnFailure: false })
  unacknowledged(): void {
    this.note('begin');
    throw new RangeError('no');
  }

  /** Notes that it began; runs once at most. */
  @SharedTask({ acksLate: false })
  async atMostOnce(seconds: number): Promise<string> {
    this.note('begin');
    await delay(seconds * 1000);
    return 'done';
  }

  /** One line per event, for tests that count runs over all processes. */
  private note(event: string): void {
    const file = process.env['FIXTURE_RUNS'];
    const id = TaskContext.current()?.request.id;
    if (file && id) {
      appendFileSync(file, `${event} ${id} ${process.pid}\n`);
    }
  }
}

function seenBy({ request }: TaskContext) {
  const { deliveryInfo, eta, expires, headers, id, parentId, retries, rootId } = request;
  const { priority, routingKey: queue } = deliveryInfo;
  return { eta, expires, headers, id, parentId, priority, queue, retries, rootId };
}
