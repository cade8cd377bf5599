import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  GatewayTimeoutException,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  Res,
  StandardSchemaValidationPipe,
  UseFilters,
  UsePipes,
} from '@nestjs/common';
import type { Response } from 'express';
import { TaskClient, TaskRegistry, TimeoutError } from 'nestjs-celery';

import { TaskQueueErrorFilter } from '../filters/task-queue-error.filter.js';
import { type Call, callSchema, idSchema, type Wait, waitSchema } from './tasks.schemas.js';
import { taskLinks, type TaskLinks, type TaskView, viewTask } from './task.view.js';

@Controller('tasks')
@UseFilters(TaskQueueErrorFilter)
@UsePipes(StandardSchemaValidationPipe)
export class TasksController {
  constructor(
    private readonly client: TaskClient,
    private readonly registry: TaskRegistry,
  ) {}

  @Get()
  list(): { tasks: { name: string; description: string | null }[] } {
    const tasks = this.registry
      .names()
      .map((name) => ({ name, description: this.registry.get(name).options.description ?? null }));
    return { tasks };
  }

  @Post(':name')
  @HttpCode(202)
  async call(
    @Param('name') name: string,
    @Body({ schema: callSchema }) { args, kwargs, options }: Call,
  ): Promise<{ taskId: string; state: string; resultIgnored: boolean; links: TaskLinks }> {
    this.registry.get(name);
    const { id, ignored } = await this.publish(name, args, { ...options, kwargs });
    return { taskId: id, state: 'PENDING', resultIgnored: ignored, links: taskLinks(id) };
  }

  @Get(':id')
  async state(@Param('id', { schema: idSchema }) id: string): Promise<TaskView> {
    return viewTask(this.client.result(id));
  }

  @Get(':id/wait')
  async wait(
    @Param('id', { schema: idSchema }) id: string,
    @Query({ schema: waitSchema }) { timeout }: Wait,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TaskView> {
    const gone = new AbortController();
    const abort = (): void => gone.abort();
    response.once('close', abort);
    const result = this.client.result(id);
    try {
      // The error of the task is part of the answer, so that what is thrown is of the waiting.
      await result.get({ timeout, propagate: false, signal: gone.signal });
    } catch (error) {
      if (error instanceof TimeoutError || gone.signal.aborted) {
        throw new GatewayTimeoutException(
          `The task did not end within ${timeout} s: ask again, or look at GET /tasks/${id}. ` +
            'A task whose result is ignored never seems to end.',
        );
      }
      throw error;
    } finally {
      response.off('close', abort);
    }
    return viewTask(result);
  }

  @Delete(':id')
  @HttpCode(204)
  async forget(@Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.client.result(id).forget();
  }

  private async publish(
    name: string,
    args: readonly unknown[],
    options: { readonly kwargs: Record<string, unknown> },
  ): Promise<{ id: string; ignored: boolean }> {
    try {
      return await this.client.applyAsync(name, args, options);
    } catch (error) {
      // The arguments do not fit the task, or an option is wrong: the caller's doing here.
      if (error instanceof TypeError) {
        throw new BadRequestException(error.message, { cause: error });
      }
      throw error;
    }
  }
}
