import type { PoolJob, RunKey } from './pool.port.js';

/** The runs of a pool, found by the id of the task or by the context of the run. */
export class RunTable<T extends { readonly job: PoolJob }> {
  private readonly runs = new Map<string, T | Set<T>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(run: T): void {
    const { id } = run.job.context.request;
    const found = this.runs.get(id);
    this.count += 1;
    if (found === undefined) {
      this.runs.set(id, run);
    } else if (found instanceof Set) {
      found.add(run);
    } else {
      // A task whose lease was lost may come back before its first run has ended.
      this.runs.set(id, new Set([found, run]));
    }
  }

  /** Returns `false` when the run is not there (any more). */
  remove(run: T): boolean {
    const { id } = run.job.context.request;
    const found = this.runs.get(id);
    if (found === run) {
      this.runs.delete(id);
    } else if (!(found instanceof Set && found.delete(run))) {
      return false;
    } else if (found.size === 0) {
      this.runs.delete(id);
    }
    this.count -= 1;
    return true;
  }

  find(key: RunKey): T[] {
    const found = this.runs.get(typeof key === 'string' ? key : key.request.id);
    if (found === undefined) {
      return [];
    }
    const all = found instanceof Set ? [...found] : [found];
    return typeof key === 'string' ? all : all.filter(({ job }) => job.context === key);
  }

  all(): T[] {
    return [...this.runs.values()].flatMap((each) => (each instanceof Set ? [...each] : [each]));
  }
}
