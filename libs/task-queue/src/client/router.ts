import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { reprValue } from '../messages/index.js';
import type { QueueDefinition, RouteTarget, TaskRouter } from '../settings/index.js';

/** The settings that decide where a task goes. */
export interface RouterSettings {
  readonly taskDefaultQueue: string;
  readonly taskQueues: readonly QueueDefinition[] | null;
  readonly taskCreateMissingQueues: boolean;
  readonly taskRoutes: readonly TaskRouter[] | null;
}

/** What is being routed: what a router in code is given. */
export interface RoutedCall {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The options of the call as they were given. */
  readonly options: Readonly<Record<string, unknown>>;
}

type Answer = (call: RoutedCall) => RouteTarget | undefined;

/**
 * Where tasks go, by `task_routes` and `task_queues`. Routers are asked in turn and the first
 * answer wins; within one table an exact name beats the patterns, whatever their order.
 */
export class Router {
  private readonly answers: readonly Answer[];
  private readonly known: ReadonlySet<string>;

  constructor(private readonly settings: RouterSettings) {
    this.answers = (settings.taskRoutes ?? []).map(answerOf);
    this.known = new Set([
      settings.taskDefaultQueue,
      ...(settings.taskQueues ?? []).map(({ name }) => name),
    ]);
  }

  /** Whether there is any route at all. */
  get hasRoutes(): boolean {
    return this.answers.length > 0;
  }

  /** The first route that answers for the call, or `undefined`. */
  route(call: RoutedCall): RouteTarget | undefined {
    for (const answer of this.answers) {
      const target = answer(call);
      if (target !== undefined) return target;
    }
    return undefined;
  }

  /**
   * Checks that a task may be sent to `queue`. Celery's `QueueNotFound`.
   *
   * @throws ImproperlyConfigured - `task_create_missing_queues` is false, and it is not known.
   */
  assertKnown(queue: string, taskName: string): void {
    if (this.settings.taskCreateMissingQueues || this.known.has(queue)) return;
    const names = [...this.known].toSorted().map((name) => `'${name}'`);
    throw new ImproperlyConfigured(
      `The task '${taskName}' cannot be sent to the queue '${queue}': it is not in task_queues, ` +
        `and task_create_missing_queues is false. Known queues: ${names.join(', ')}. Use one of ` +
        'these, add the queue to task_queues, or allow missing queues.',
    );
  }
}

function answerOf(router: TaskRouter): Answer {
  if (typeof router === 'function') {
    return ({ name, args, kwargs, options }) => targetOf(router(name, args, kwargs, options), name);
  }
  const exact = new Map<string, RouteTarget>();
  const patterns: [RegExp, RouteTarget][] = [];
  for (const { pattern, target } of router) {
    if (typeof pattern !== 'string') {
      // A 'g' or 'y' would make it remember where it stopped.
      patterns.push([new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')), target]);
    } else if (/[*?[]/.test(pattern)) {
      patterns.push([globToRegExp(pattern), target]);
    } else if (!exact.has(pattern)) {
      exact.set(pattern, target);
    }
  }
  return ({ name }) => exact.get(name) ?? patterns.find(([pattern]) => pattern.test(name))?.[1];
}

function targetOf(answer: unknown, name: string): RouteTarget | undefined {
  if (answer === undefined || answer === null) return undefined;
  if (typeof answer === 'string') return { queue: answer };
  if (typeof answer === 'object' && !Array.isArray(answer) && !('then' in answer)) {
    return answer as RouteTarget;
  }
  throw new ImproperlyConfigured(
    `A router in task_routes answered ${reprValue(answer, 80)} for the task '${name}'. Let it ` +
      "return the name of a queue, { queue: 'name' }, or null to leave it to the next router; it " +
      'cannot be async.',
  );
}

/** Celery's globs (`fnmatch`): `*`, `?`, `[seq]` and `[!seq]`. */
function globToRegExp(glob: string): RegExp {
  const source = glob.replaceAll(/\*|\?|\[(!?)([^\]]+)\]|[.+^${}()|[\]\\]/g, (part, not, set) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (typeof set !== 'string') return `\\${part}`;
    return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\^[]/g, String.raw`\$&`)}]`;
  });
  return new RegExp(`^${source}$`, 's');
}
