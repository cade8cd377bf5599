import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { SharedTask, TaskContext, TaskNamespace } from 'nestjs-celery';

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

  /** One line per event, for tests that count runs over all processes. */
  private note(event: string): void {
    const file = process.env['FIXTURE_RUNS'];
    const id = TaskContext.current()?.request.id;
    if (file && id) {
      appendFileSync(file, `${event} ${id} ${process.pid}\n`);
    }
  }
}
