import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { PipesConsumer } from '@nestjs/core/internal';
import type { TaskContext } from './task.context.js';
import type { TaskDefinition } from './task-definition.interface.js';
import type { InjectedParameter, TaskEnhancers } from './task-enhancers.resolver.js';

/** Puts the keyword arguments, when there are any, as one object after the positional ones. */
export function joinArguments(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): readonly unknown[] {
  for (const key in kwargs) {
    if (Object.hasOwn(kwargs, key)) {
      return [...args, kwargs];
    }
  }
  return args;
}

/**
 * The parameters that a task's method is called with: the context when the task is bound, what
 * parameter decorators give, and the arguments in order for all others; each of them, but not
 * the context, through the pipes.
 *
 * Pipes see a missing argument as `undefined`, so that a validation cannot be got round by
 * leaving it out. Parameters with a default value and rest parameters may be left out.
 */
export async function resolveParameters(
  consumer: PipesConsumer,
  enhancers: TaskEnhancers,
  definition: TaskDefinition,
  context: TaskContext,
  given: readonly unknown[],
): Promise<unknown[]> {
  const { injected, pipes, paramTypes } = enhancers;
  const bound = definition.options.bind === true;
  const declared = Math.max(
    bound ? 1 : 0,
    (definition.injectedParameters.at(-1) ?? -1) + 1,
    pipes.length > 0 ? definition.handler.length : 0,
  );
  const hostArgs = [context, ...given];
  const parameters: unknown[] = [];
  let next = 0;
  for (let index = 0; index < declared || next < given.length; index += 1) {
    const metatype = paramTypes[index] as ArgumentMetadata['metatype'];
    const parameter = injected.get(index);
    if (bound && index === 0) {
      parameters.push(context);
    } else if (parameter) {
      parameters.push(resolveInjected(consumer, parameter, hostArgs, metatype, pipes));
    } else {
      const value = given[next];
      next += 1;
      parameters.push(
        pipes.length > 0
          ? consumer.applyPipes(value, { type: 'body', metatype, data: undefined }, pipes)
          : value,
      );
    }
  }
  return Promise.all(parameters);
}

/** Async, so that a decorator that throws does not leave the pipes of the others unobserved. */
async function resolveInjected(
  consumer: PipesConsumer,
  { data, extract, pipes: own, schema }: InjectedParameter,
  hostArgs: unknown[],
  metatype: ArgumentMetadata['metatype'],
  pipes: readonly PipeTransform[],
): Promise<unknown> {
  const metadata = { type: 'custom', metatype, data: data as string | undefined, schema } as const;
  return consumer.applyPipes(extract(hostArgs), metadata, [...pipes, ...own]);
}
