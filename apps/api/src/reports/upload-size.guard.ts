import {
  HttpException,
  HttpStatus,
  Injectable,
  PayloadTooLargeException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request } from 'express';

import { UPLOAD_LIMITS } from './upload.limits.js';

/** Bytes for the boundaries and headers of the parts, per file at most. */
const PART_OVERHEAD = 1000;
const LARGEST = UPLOAD_LIMITS.totalBytes + UPLOAD_LIMITS.files * PART_OVERHEAD;

/** Refuses an upload that is too large before any of it is read into memory. */
@Injectable()
export class UploadSizeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<Request>();
    if (!headers['content-type']?.toLowerCase().startsWith('multipart/')) {
      return true;
    }
    const length = headers['content-length'];
    if (length === undefined) {
      throw new HttpException(
        'An upload must say its size: send the header Content-Length.',
        HttpStatus.LENGTH_REQUIRED,
      );
    }
    if (Number(length) > LARGEST) {
      throw new PayloadTooLargeException(
        `An upload may have ${UPLOAD_LIMITS.totalBytes} bytes: make several reports of it.`,
      );
    }
    return true;
  }
}
