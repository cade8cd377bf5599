import { Logger } from '@nestjs/common';
import type { Clock } from '../clock/index.js';
import { GuardedCalls, type ListenerLog } from './guarded.calls.js';
import type { SignalEvents, SignalFields, SignalName } from './signal-events.interface.js';
import { compileTaskFilter, type TaskFilter, type TaskMatcher } from './task.filter.js';

/** A function that is told of events. */
export type SignalListener<N extends SignalName> = (event: SignalEvents[N]) => unknown;

/** How a listener listens. */
export interface ConnectOptions {
  /** Which tasks it is told of. Default: all. Without effect on the signals of workers. */
  readonly task?: TaskFilter;
  /** The same as a test of the name; not used when `task` is given. Default: all. */
  readonly matches?: TaskMatcher;
  /** Where the listener is written, for messages. Default: the name of the function. */
  readonly place?: string;
}

interface Connection {
  readonly listener: (event: unknown) => unknown;
  readonly matches: TaskMatcher | undefined;
  readonly place: string;
}

/**
 * Holds the listeners and tells them of events. Part of every application that imports
 * `TaskQueueModule`; the methods with `@OnTaskFailure()` and the like are its listeners, and
 * `connect` adds one by hand. Celery's `celery.signals`.
 *
 * Listeners are called in the order they were added, synchronously up to their first `await`.
 * What they throw is logged, and nothing else comes of it.
 */
export class TaskSignals {
  /** Runs the listeners, and the hooks of tasks. Not for users. */
  readonly calls: GuardedCalls;
  private readonly connections = new Map<SignalName, readonly Connection[]>();

  constructor(clock: Clock, log: ListenerLog = new Logger('TaskSignals')) {
    this.calls = new GuardedCalls(clock, log);
  }

  /** Whether anybody listens. To be asked before the fields of an event are put together. */
  has(signal: SignalName): boolean {
    return this.connections.has(signal);
  }

  /**
   * Adds a listener. Celery's `signal.connect`.
   *
   * @returns A function that takes the listener away again; calls after the first do nothing.
   * @throws ImproperlyConfigured when `task` is a class without such a task.
   */
  connect<N extends SignalName>(
    signal: N,
    listener: SignalListener<N>,
    { task, matches, place = listener.name || 'a function' }: ConnectOptions = {},
  ): () => void {
    return this.add(signal, {
      listener: listener as Connection['listener'],
      matches: task === undefined ? matches : compileTaskFilter(task, place),
      place: `The listener ${place} of ${signal}`,
    });
  }

  /** Tells the listeners, and does not wait for those that are async. Never throws. */
  emit<N extends SignalName>(signal: N, fields: SignalFields<N>): void {
    const listeners = this.connections.get(signal);
    if (listeners) {
      const event = { signal, ...fields };
      for (const { listener, place } of told(listeners, fields)) {
        void this.calls.call(place, () => listener(event));
      }
    }
  }

  /**
   * Tells the listeners one after the other and waits for each, for `patience` milliseconds in
   * all; then the log says so, and nobody waits any more. Never rejects.
   */
  async emitAndWait<N extends SignalName>(
    signal: N,
    fields: SignalFields<N>,
    patience: number,
  ): Promise<void> {
    const listeners = this.connections.get(signal);
    if (!listeners) {
      return;
    }
    const event = { signal, ...fields };
    const progress = { now: '' };
    const all = this.inTurn(told(listeners, fields), event, progress);
    if (!(await this.calls.within(patience, all))) {
      this.calls.warn(
        `${progress.now} is not over after ${patience / 1000}s, and is not waited for any longer.`,
      );
    }
  }

  /**
   * Waits for what async listeners and hooks still do, for at most `patience` milliseconds, and
   * logs what is not over then. For the end of a worker. Never rejects.
   */
  settle(patience: number): Promise<void> {
    return this.calls.settle(patience);
  }

  private add(signal: SignalName, connection: Connection): () => void {
    this.connections.set(signal, [...(this.connections.get(signal) ?? []), connection]);
    return () => {
      const left = this.connections.get(signal)?.filter((other) => other !== connection) ?? [];
      if (left.length > 0) {
        this.connections.set(signal, left);
      } else {
        this.connections.delete(signal);
      }
    };
  }

  private async inTurn(
    listeners: readonly Connection[],
    event: unknown,
    progress: { now: string },
  ): Promise<void> {
    for (const { listener, place } of listeners) {
      progress.now = place;
      await this.calls.call(place, () => listener(event));
    }
  }
}

function told(listeners: readonly Connection[], fields: object): readonly Connection[] {
  const { task } = fields as { readonly task?: string };
  return task === undefined
    ? listeners
    : listeners.filter(({ matches }) => !matches || matches(task));
}
