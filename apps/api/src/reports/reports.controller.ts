import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Req,
  StandardSchemaValidationPipe,
  UploadedFiles,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { FileFieldsInterceptor } from '@nestjs/platform-express';
import type { Request } from 'express';

import { TaskQueueErrorFilter } from '../filters/task-queue-error.filter.js';
import { FolderReader } from './folder.reader.js';
import type { MarkdownFile } from './markdown-file.js';
import { indexSchema, reportSchema, type ReportRequest } from './report.schemas.js';
import {
  type ProgressView,
  type ReportLinks,
  reportLinks,
  type ReportView,
  viewProgress,
  viewReport,
} from './report.view.js';
import { ReportsService } from './reports.service.js';
import { UPLOAD_LIMITS } from './upload.limits.js';
import { type Upload, readUpload } from './upload.reader.js';
import { UploadSizeGuard } from './upload-size.guard.js';

const { files: MOST_FILES, totalBytes } = UPLOAD_LIMITS;

@Controller('reports')
@UseFilters(TaskQueueErrorFilter)
@UsePipes(StandardSchemaValidationPipe)
export class ReportsController {
  constructor(
    private readonly folders: FolderReader,
    private readonly reports: ReportsService,
  ) {}

  /** JSON with a folder, or multipart with an `archive` and any number of `files`. */
  @Post()
  @HttpCode(202)
  @UseGuards(UploadSizeGuard)
  @UseInterceptors(
    FileFieldsInterceptor(
      [
        { name: 'archive', maxCount: 1 },
        { name: 'files', maxCount: MOST_FILES },
      ],
      {
        defParamCharset: 'utf8',
        limits: { fileSize: totalBytes, fields: 10, fieldSize: 1000, parts: MOST_FILES + 20 },
        preservePath: true,
      },
    ),
  )
  async start(
    @Req() request: Request,
    @Body({ schema: reportSchema }) { folder }: ReportRequest,
    @UploadedFiles() upload: Upload | undefined,
  ): Promise<{ reportId: string; total: number; links: ReportLinks }> {
    const isUpload = Boolean(request.is('multipart/*'));
    const files = isUpload
      ? await this.uploaded(upload ?? {}, folder)
      : await this.folders.read(folder);
    const source = isUpload ? 'the upload' : `the folder '${folder ?? '.'}'`;
    const job = await this.reports.start(source, files);
    return { reportId: job.id, total: job.files.length, links: reportLinks(job.id) };
  }

  @Get(':id')
  async progress(@Param('id') id: string): Promise<ProgressView> {
    return viewProgress(await this.reports.look(id));
  }

  @Get(':id/report')
  async report(@Param('id') id: string): Promise<ReportView> {
    const job = await this.reports.look(id);
    const { done, links, percent, total } = viewProgress(job);
    if (done < total) {
      throw new ConflictException({
        statusCode: 409,
        error: 'Conflict',
        message: `The report is not ready: ${done} of ${total} files are done. See ${links.progress}.`,
        total,
        done,
        percent,
      });
    }
    return viewReport(job);
  }

  /** What was uploaded is not trusted: no script in it runs, and nothing is loaded. */
  @Get(':id/files/:index')
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', "sandbox; default-src 'none'; style-src 'unsafe-inline'")
  @Header('X-Content-Type-Options', 'nosniff')
  file(
    @Param('id') id: string,
    @Param('index', { schema: indexSchema }) index: number,
  ): Promise<string> {
    return this.reports.html(id, index);
  }

  private async uploaded(upload: Upload, folder: string | undefined): Promise<MarkdownFile[]> {
    if (folder !== undefined) {
      throw new BadRequestException("Give either files or a 'folder', not both.");
    }
    if (!upload.archive && !upload.files) {
      throw new BadRequestException(
        "The upload has no file: send a zip archive in the field 'archive', or Markdown in " +
          "'files'.",
      );
    }
    return readUpload(upload);
  }
}
