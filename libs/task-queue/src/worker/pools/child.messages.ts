import type { EncodedThrown } from './thrown.codec.js';

/** What a pool tells a child. Values travel as JSON of the codec, so that types survive. */
export type ChildOrder =
  | {
      readonly type: 'run';
      /** Numbers the runs of a child; its reports carry it. */
      readonly run: number;
      /** A `WireJob`. */
      readonly job: string;
    }
  | { readonly type: 'abort'; readonly run: number; readonly reason: EncodedThrown }
  /** The answer to `state`. */
  | { readonly type: 'stored'; readonly call: number; readonly error?: EncodedThrown };

/** What a child tells its pool. */
export type ChildReport =
  | { readonly type: 'ready' }
  | { readonly type: 'unfit'; readonly reason: string }
  | {
      readonly type: 'done';
      readonly run: number;
      /** What the task returned; absent for `undefined`. */
      readonly value?: string;
      /** Memory of the child, KiB. */
      readonly memory: number;
    }
  | {
      readonly type: 'failed';
      readonly run: number;
      readonly error: EncodedThrown;
      readonly memory: number;
    }
  | {
      readonly type: 'state';
      readonly run: number;
      readonly call: number;
      readonly state: string;
      readonly meta: string;
    }
  | {
      readonly type: 'log';
      readonly level: LogMethod;
      readonly message: string;
      readonly rest: readonly string[];
    };

/** The methods of Nest's logger. */
export type LogMethod = 'debug' | 'error' | 'fatal' | 'log' | 'verbose' | 'warn';
