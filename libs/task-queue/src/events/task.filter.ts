import type { Type } from '@nestjs/common';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { TaskMetadataAccessor } from '../tasks/index.js';

/**
 * Which tasks a listener is told of:
 * - `'demoapp.tasks.add'`: the task of that name;
 * - `'demoapp.*'`: those that match, with `*`, `?`, `[seq]` and `[!seq]` as in `task_routes`;
 * - `DemoTasks`: all tasks of that class;
 * - `[DemoTasks, 'add']`: the task of that method.
 */
export type TaskFilter<T = any> = string | Type<T> | readonly [Type<T>, keyof T & string];

/** Whether a listener is told of the task of that name. */
export type TaskMatcher = (task: string) => boolean;

const GLOB_PART = /\*|\?|\[(!?)([^\]]+)\]|[.+^${}()|[\]\\]/g;

/**
 * Checks the form of a filter, at decoration: the classes in it may not be complete yet.
 *
 * @param place - What has the filter, for the error: `@OnTaskFailure on Audit.failed`.
 * @throws ImproperlyConfigured when it is neither a name, a class nor a class and a method.
 */
export function assertTaskFilter(filter: unknown, place: string): asserts filter is TaskFilter {
  const [cls, method] = Array.isArray(filter) ? (filter as unknown[]) : [filter, 'any'];
  const isPair = typeof cls === 'function' && typeof method === 'string' && method !== '';
  const isName = typeof filter === 'string' && filter !== '';
  if (isName || isPair) {
    return;
  }
  throw new ImproperlyConfigured(
    `The { task } of ${place} must be the name of a task, a pattern such as 'demoapp.*', a class ` +
      `with tasks, or a class and one of its methods such as [DemoTasks, 'add']. ` +
      'If it names a class that is undefined here, two files import each other in a circle: ' +
      'give the name of the task instead.',
  );
}

/**
 * Makes the test of a filter.
 *
 * @throws ImproperlyConfigured when a class has no such task.
 */
export function compileTaskFilter(
  filter: TaskFilter,
  place: string,
  accessor: TaskMetadataAccessor = new TaskMetadataAccessor(),
): TaskMatcher {
  if (typeof filter === 'string') {
    if (!/[*?[]/.test(filter)) {
      return (task) => task === filter;
    }
    const pattern = globToRegExp(filter);
    return (task) => pattern.test(task);
  }
  const names = new Set(namesOf(filter, place, accessor));
  return (task) => names.has(task);
}

function namesOf(
  filter: Exclude<TaskFilter, string>,
  place: string,
  accessor: TaskMetadataAccessor,
): string[] {
  const [cls, method]: readonly [Type, string?] =
    typeof filter === 'function' ? [filter] : [filter[0], filter[1]];
  const tasks = accessor.describeTasks(cls);
  const wanted = tasks.filter((task) => method === undefined || task.method === method);
  if (wanted.length === 0) {
    const what = method === undefined ? cls.name : `${cls.name}.${method}`;
    const known = tasks.map((task) => task.method).join(', ') || 'none';
    throw new ImproperlyConfigured(
      `${place} listens to ${what}, which ${method === undefined ? 'has no task' : 'is no task'}: ` +
        `the tasks of ${cls.name} are: ${known}. Put @SharedTask() on the method, or name another.`,
    );
  }
  return wanted.map(({ name }) => name);
}

/** Celery's globs (`fnmatch`): `*`, `?`, `[seq]` and `[!seq]`. */
function globToRegExp(glob: string): RegExp {
  const source = glob.replaceAll(GLOB_PART, (part, not, set) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (typeof set !== 'string') return `\\${part}`;
    return `[${not === '!' ? '^' : ''}${set.replaceAll(/[\\^[]/g, String.raw`\$&`)}]`;
  });
  return new RegExp(`^${source}$`, 's');
}
