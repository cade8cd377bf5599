import { createParamDecorator } from '@nestjs/common';
import { getTaskContext } from './task-execution-context.util.js';

/**
 * Injects the `TaskContext` into a parameter of a task's method, in any position. The parameter
 * takes no argument from the message. With `bind: true` the first parameter needs no decorator.
 */
export const TaskCtx = createParamDecorator((_data: unknown, host) => getTaskContext(host));
