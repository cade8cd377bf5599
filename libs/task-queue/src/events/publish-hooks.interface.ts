/** A call on its way into the store. */
export interface PublishedCall {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
  readonly queue: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The headers of the call, if it has any. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  /** When the task is due, milliseconds since the epoch. Default: at once. */
  readonly dueAt?: number | undefined;
  /** When the task expires, milliseconds since the epoch. Default: never. */
  readonly expiresAt?: number | undefined;
}

/** What a publisher tells of its calls. Nothing here throws or rejects. */
export interface PublishHooks {
  /** Whether anybody listens to `before`; to be asked first, so that it costs nothing. */
  readonly wantsBefore: boolean;

  /**
   * The call is about to be published. Takes 5 seconds at most.
   *
   * @returns The headers that the listeners leave, which are such as a message can carry;
   * `undefined` when there are none.
   */
  before(call: PublishedCall): Promise<Readonly<Record<string, unknown>> | undefined>;

  /** Whether anybody listens to `after`; to be asked first. */
  readonly wantsAfter: boolean;

  /** The task is stored. */
  after(call: PublishedCall): void;
}

/** Tells nobody. */
export const NO_PUBLISH_HOOKS: PublishHooks = Object.freeze({
  wantsBefore: false,
  before: ({ headers }: PublishedCall) => Promise.resolve(headers),
  wantsAfter: false,
  after: () => {},
});
