import type { ChildOrder, ChildReport } from './child.messages.js';

/** A process or a thread that was started to run tasks, as its slot sees it. */
export interface Child {
  /** The id of the process or of the thread. */
  readonly pid: number;
  send(order: ChildOrder): void;
  onReport(listener: (report: ChildReport) => void): void;
  /** Called once, when the child is gone, with how it ended: `signal 9 (SIGKILL)`. */
  onEnd(listener: (how: string) => void): void;
  /** Closes the channel: the child ends by itself once it runs nothing. */
  release(): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}
