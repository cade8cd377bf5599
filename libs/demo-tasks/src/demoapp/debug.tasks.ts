import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { SharedTask, TaskContext } from 'nestjs-celery';

/** The task that every Celery project begins with: `<project>/celery.py`. */
@Injectable()
export class DebugTasks {
  /** Prints the message that it was called with. */
  @SharedTask({
    name: 'nest_blog.celery.debug_task',
    bind: true,
    ignoreResult: true,
    description: 'Prints its own request in the log of the worker; stores no result.',
  })
  debugTask(self: TaskContext): void {
    console.log(`Request: ${inspect(self.request)}`);
  }
}
