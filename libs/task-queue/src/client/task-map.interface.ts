/**
 * The tasks that are called by name, for the compiler: add yours by declaration merging.
 *
 * ```ts
 * declare module 'nestjs-celery' {
 *   interface TaskMap {
 *     'demoapp.tasks.add': DemoTasks['add'];
 *     'reports.tasks.build': (id: number) => string;
 *   }
 * }
 * ```
 *
 * Then `tasks.delay('demoapp.tasks.add', 2, 3)` checks the arguments and types the result. A name
 * that is not in it takes any arguments.
 */
// eslint-disable-next-line typescript/no-empty-object-type -- merged into by the application
export interface TaskMap {}
