import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { TaskClient, TaskQueueModule, TaskRegistry } from 'nestjs-celery';

import { DebugTasks, DemoTasks, DemoTasksModule, ReportTasks } from './index.js';

describe('DemoTasksModule', () => {
  let module: TestingModule;
  let tasks: TaskClient;

  beforeEach(async () => {
    module = await Test.createTestingModule({
      imports: [TaskQueueModule.forRoot({ brokerUrl: 'memory://' }), DemoTasksModule],
    }).compile();
    await module.init();
    tasks = module.get(TaskClient);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await module.close();
  });

  it('provides the tasks of the sample', () => {
    expect(module.get(TaskRegistry).names()).toEqual([
      'demoapp.tasks.add',
      'demoapp.tasks.mul',
      'demoapp.tasks.xsum',
      'nest_blog.celery.debug_task',
      'reports.tasks.processFile',
    ]);
  });

  it('adds, multiplies and sums', async () => {
    const { add, mul, xsum } = tasks.of(DemoTasks);
    expect(await (await add.apply([2, 3])).get()).toBe(5);
    expect(await (await mul.apply([2, 3])).get()).toBe(6);
    expect(await (await xsum.apply([[1, 2, 3]])).get()).toBe(6);
    expect(await (await xsum.apply([[]])).get()).toBe(0);
  });

  it('prints the request of debug_task', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    await tasks.of(DebugTasks).debugTask.apply([], { throw: true });
    expect(log).toHaveBeenCalledWith(
      expect.stringMatching(/^Request: <Context: .*task: 'nest_blog\.celery\.debug_task'.*>$/),
    );
  });

  it('processes a file', async () => {
    const { processFile } = tasks.of(ReportTasks);
    const result = await processFile.apply(['job', 'a/b.md', '# Hello']);
    expect(await result.get()).toEqual({
      jobId: 'job',
      name: 'a/b.md',
      title: 'Hello',
      words: 1,
      links: 0,
      headings: 1,
      readingMinutes: 1,
      html: '<h1>Hello</h1>\n',
    });
  });
});
