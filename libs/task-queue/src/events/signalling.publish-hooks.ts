import { encodeEnvelope } from '../messages/index.js';
import type { PublishedCall, PublishHooks } from './publish-hooks.interface.js';
import type { TaskSignals } from './task.signals.js';

type Headers = Readonly<Record<string, unknown>>;

/** How long a publish waits for listeners, milliseconds: a caller is never held up for ever. */
const PATIENCE = 5000;

/** Tells the listeners of `beforeTaskPublish` and `afterTaskPublish`. */
export class SignallingPublishHooks implements PublishHooks {
  constructor(private readonly signals: TaskSignals) {}

  get wantsBefore(): boolean {
    return this.signals.has('beforeTaskPublish');
  }

  async before(call: PublishedCall): Promise<Headers | undefined> {
    const headers: Record<string, unknown> = { ...call.headers };
    await this.signals.emitAndWait('beforeTaskPublish', describe(call, headers), PATIENCE);
    return this.sendable(call, headers);
  }

  get wantsAfter(): boolean {
    return this.signals.has('afterTaskPublish');
  }

  after(call: PublishedCall): void {
    this.signals.emit('afterTaskPublish', describe(call, { ...call.headers }));
  }

  /** What the listeners made of the headers, unless the call would break by it. */
  private sendable(call: PublishedCall, given: Headers): Headers | undefined {
    try {
      // A copy: a listener that is not waited for any longer may still write into the other.
      const headers = { ...given };
      if (Object.keys(headers).length === 0) {
        return undefined;
      }
      const { id, task } = call;
      const message = { id, task, args: [], kwargs: {}, headers: { headers } };
      encodeEnvelope(message, { maxBytes: Number.MAX_SAFE_INTEGER });
      return headers;
    } catch (error) {
      // When the fault is in the call's own headers, the publish itself says so next.
      this.signals.calls.warn(
        `The listeners of beforeTaskPublish left headers that the task '${call.task}' cannot be ` +
          `sent with: ${String(error)} It is sent with the headers of its call.`,
      );
      return call.headers;
    }
  }
}

function describe<H extends Headers>(call: PublishedCall, headers: H) {
  const { id, task, queue, args, kwargs, dueAt, expiresAt } = call;
  return { id, task, queue, args, kwargs, headers, eta: dateOf(dueAt), expires: dateOf(expiresAt) };
}

function dateOf(time: number | undefined): Date | null {
  return time === undefined ? null : new Date(time);
}
