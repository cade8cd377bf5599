import type { BrokerLogger } from '../../brokers/broker-options.interface.js';
import type { Clock } from '../../clock/index.js';
import type { ErrorClass } from '../../messages/index.js';
import type { LogMethod } from './child.messages.js';
import type { Child } from './child.port.js';
import type { PoolJob } from './pool.port.js';

/** What all slots of a pool have in common. */
export interface ChildSlotOptions {
  readonly spawn: () => Child;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
  /** Writes a line that a child logged. */
  readonly writeLog: (level: LogMethod, message: string, rest: readonly string[]) => void;
  /** The error classes that may be rebuilt. */
  readonly errorClasses: () => ReadonlyMap<string, ErrorClass>;
  /** Tasks after which a child is replaced; `null` for never. */
  readonly maxTasks: number | null;
  /** Memory above which a child is replaced, KiB; `null` for no limit. */
  readonly maxMemory: number | null;
  /** How long a child may take to start, milliseconds; `null` for as long as it takes. */
  readonly startTimeout: number | null;
}

export interface ChildSlotEvents {
  /** The slot is free for a task. */
  free(): void;
  /** The first child could not start; without it the slot would try again. */
  unfit(reason: string): void;
  lost(): void;
  recycled(): void;
  /** The slot was ended, and all its children are gone. */
  ended(): void;
}

/** A task that a slot runs. */
export interface ChildRun {
  readonly job: PoolJob;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}
