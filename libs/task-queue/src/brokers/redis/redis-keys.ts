/** The names of all keys that are ours; BullMQ's are BullMQ's own affair. */
export class RedisKeys {
  /** BullMQ's key prefix. In a cluster it holds a hash tag, so that all keys share a slot. */
  readonly bullPrefix: string;
  private readonly own: string;
  private readonly resultPrefix: string;

  constructor(options: { globalPrefix: string; resultPrefix: string; cluster: boolean }) {
    const { globalPrefix, resultPrefix, cluster } = options;
    this.bullPrefix = cluster ? `{${globalPrefix}bull}` : `${globalPrefix}bull`;
    this.own = cluster ? `{${globalPrefix}bull}celery:` : `${globalPrefix}celery:`;
    this.resultPrefix = cluster ? `{${globalPrefix}bull}${resultPrefix}` : resultPrefix;
  }

  /** Celery's key of a result. */
  meta(id: string): string {
    return `${this.resultPrefix}celery-task-meta-${id}`;
  }

  get metaPrefix(): string {
    return this.meta('');
  }

  /** Celery's key of a group's result. */
  group(id: string): string {
    return `${this.resultPrefix}celery-taskset-meta-${id}`;
  }

  /** Set of the channels that wait for a result. */
  watch(id: string): string {
    return `${this.own}watch:${id}`;
  }

  /** Mark of a task that ran a short while ago. */
  done(id: string): string {
    return `${this.own}done:${id}`;
  }

  get donePrefix(): string {
    return this.done('');
  }

  /** Sorted set of `queue:id` by the time of expiry. */
  get expires(): string {
    return `${this.own}expires`;
  }

  /** Set of the names of all queues. */
  get queues(): string {
    return `${this.own}queues`;
  }

  /** Sorted set of revoked ids by the time until which they are remembered. */
  get revoked(): string {
    return `${this.own}revoked`;
  }

  /** Is there once a priority or a revoke was used. */
  get flags(): string {
    return `${this.own}flags`;
  }

  /** The channel of broadcasts. */
  get control(): string {
    return `${this.own}control`;
  }

  /** Where a blocking wait of this process can be ended. */
  wake(process: string): string {
    return `${this.own}wake:${process}`;
  }

  /** The notification channel of a process. */
  channel(process: string): string {
    return `${this.own}notify:${process}`;
  }

  marker(queue: string): string {
    return `${this.bullPrefix}:${queue}:marker`;
  }

  bull(queue: string, type: string): string {
    return `${this.bullPrefix}:${queue}:${type}`;
  }

  /** The queue whose marker this is. */
  queueOfMarker(marker: string): string {
    return marker.slice(this.bullPrefix.length + 1, -':marker'.length);
  }
}
