import { Injectable } from '@nestjs/common';
import { SharedTask, TaskNamespace } from 'nestjs-celery';

/** The three tasks of Celery's Django tutorial, `demoapp/tasks.py`. */
@Injectable()
@TaskNamespace('demoapp.tasks')
export class DemoTasks {
  @SharedTask({ description: 'The sum of two numbers.' })
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask({ description: 'The product of two numbers.' })
  mul(x: number, y: number): number {
    return x * y;
  }

  @SharedTask({ description: 'The sum of a list of numbers.' })
  xsum(numbers: readonly number[]): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }
}

declare module 'nestjs-celery' {
  interface TaskMap {
    'demoapp.tasks.add': DemoTasks['add'];
    'demoapp.tasks.mul': DemoTasks['mul'];
    'demoapp.tasks.xsum': DemoTasks['xsum'];
  }
}
