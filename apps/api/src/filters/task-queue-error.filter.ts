import { Catch, HttpStatus } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { EncodeError, NotRegistered, OperationalError } from 'nestjs-celery';

/**
 * Answers 503 when the broker or the result store is away, and 400 when a call cannot be
 * published as it is. The errors of tasks do not come here: they are results.
 */
@Catch(OperationalError, EncodeError, NotRegistered)
export class TaskQueueErrorFilter implements ExceptionFilter<Error> {
  catch(error: Error, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const isAway = error instanceof OperationalError;
    const statusCode = isAway ? HttpStatus.SERVICE_UNAVAILABLE : HttpStatus.BAD_REQUEST;
    if (isAway) {
      response.setHeader('Retry-After', '5');
    }
    response.status(statusCode).json({ statusCode, error: error.name, message: error.message });
  }
}
