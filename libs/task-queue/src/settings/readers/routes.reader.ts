import type { Reading } from '../setting-definition.interface.js';
import { describeValue } from '../value.describer.js';
import { readQueueName } from './queues.reader.js';
import { dictOf, parseJson } from './value.reader.js';

/** Where a task goes, and options for the publish. A name alone is the queue. */
export interface RouteTarget {
  readonly queue?: string;
  /** 0 to 9, higher first. */
  readonly priority?: number;
  /** Any other option of `applyAsync`. */
  readonly [option: string]: unknown;
}

/**
 * A router in code. `null` or `undefined` leaves the decision to the next router.
 *
 * @param name - Name of the task.
 * @param options - The options of the call.
 */
export type RouteFunction = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
) => string | RouteTarget | null | undefined;

/** One line of a routing table. A string with `*` is a glob, another one the exact name. */
export interface RouteRule {
  readonly pattern: string | RegExp;
  readonly target: RouteTarget;
}

/**
 * A router: a function, or rules of which the first that matches wins. The exact names stand
 * first, because in Celery they beat the patterns of the same table.
 */
export type TaskRouter = RouteFunction | readonly RouteRule[];

/** What may be written for one table of routes. */
export type RouteTableInput =
  | Readonly<Record<string, string | RouteTarget>>
  | readonly (readonly [string | RegExp, string | RouteTarget])[];

/** What may be written for `task_routes`. */
export type TaskRoutesInput =
  | RouteTableInput
  | RouteFunction
  | readonly (RouteTableInput | RouteFunction | readonly [string | RegExp, string | RouteTarget])[];

const FORM =
  "routes: write { 'mail.*': 'mail' }, [[/^mail/, { queue: 'mail' }]], a function, or a list " +
  'of these';

const AMQP_KEYS = new Set(['exchange', 'exchange_type', 'routing_key', 'delivery_mode']);

class RouteProblem {
  constructor(readonly problem: string) {}
}

/** Reads `task_routes` into routers, to be asked in turn. */
export function readRoutes(raw: unknown): Reading {
  const written = typeof raw === 'string' ? parseJson(raw) : raw;
  const items = Array.isArray(written) && !isPair(written) ? written : [written];
  const routers: TaskRouter[] = [];
  for (const item of items) {
    const router = routerOf(item);
    if (router instanceof RouteProblem) {
      return { problem: router.problem };
    }
    routers.push(router);
  }
  return { value: Object.freeze(routers) };
}

function routerOf(item: unknown): TaskRouter | RouteProblem {
  if (typeof item === 'function') {
    return item as RouteFunction;
  }
  const pairs = pairsOf(item);
  if (pairs === undefined) {
    return new RouteProblem(`is not made of ${FORM}.`);
  }
  const rules: RouteRule[] = [];
  for (const [pattern, target] of pairs) {
    const rule = ruleOf(pattern, target);
    if (rule instanceof RouteProblem) {
      return rule;
    }
    rules.push(rule);
  }
  const exact = rules.filter(({ pattern }) => isExact(pattern));
  return Object.freeze([...exact, ...rules.filter(({ pattern }) => !isExact(pattern))]);
}

function isExact(pattern: string | RegExp): boolean {
  return typeof pattern === 'string' && !pattern.includes('*');
}

function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === '[object RegExp]';
}

function isPair(value: unknown): value is [unknown, unknown] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    (typeof value[0] === 'string' || isRegExp(value[0])) &&
    !Array.isArray(value[1])
  );
}

function pairsOf(item: unknown): (readonly [unknown, unknown])[] | undefined {
  if (isPair(item)) {
    return [item];
  }
  if (Array.isArray(item)) {
    return item.every(isPair) ? item : undefined;
  }
  const dict = typeof item === 'string' ? undefined : dictOf(item);
  return dict === undefined ? undefined : Object.entries(dict);
}

function ruleOf(pattern: unknown, target: unknown): RouteRule | RouteProblem {
  if (!isRegExp(pattern) && (typeof pattern !== 'string' || pattern === '')) {
    return new RouteProblem(`has a pattern that is no task name, ${describeValue(pattern)}.`);
  }
  const options = typeof target === 'string' ? { queue: target } : dictOf(target);
  if (options === undefined) {
    return new RouteProblem(
      `has a wrong target for ${String(pattern)}: write the name of a queue or { queue: 'name' }.`,
    );
  }
  const amqp = Object.keys(options).find((key) => AMQP_KEYS.has(key));
  if (amqp !== undefined) {
    return new RouteProblem(
      `uses '${amqp}' for ${String(pattern)}, which belongs to AMQP: write { queue: 'name' }.`,
    );
  }
  if ('queue' in options) {
    const queue = readQueueName(options['queue']);
    if ('problem' in queue) {
      return new RouteProblem(`has a wrong target for ${String(pattern)}: it ${queue.problem}`);
    }
    return Object.freeze({
      pattern,
      target: Object.freeze({ ...options, queue: queue.value }),
    }) as RouteRule;
  }
  return Object.freeze({ pattern, target: Object.freeze({ ...options }) });
}
