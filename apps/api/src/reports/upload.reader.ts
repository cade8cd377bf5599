import { BadRequestException } from '@nestjs/common';

import { readArchive } from './archive.reader.js';
import { isMarkdown, MarkdownCollection, type MarkdownFile, safeName } from './markdown-file.js';
import { UPLOAD_LIMITS, type UploadLimits } from './upload.limits.js';

/** A file as Multer hands it over. */
export interface UploadedFile {
  readonly originalname: string;
  readonly buffer: Uint8Array;
}

/** The fields of an upload. */
export interface Upload {
  readonly archive?: readonly UploadedFile[];
  readonly files?: readonly UploadedFile[];
}

/**
 * The Markdown files of an upload, those of the archive first.
 *
 * @throws BadRequestException - Something in it cannot be read, or a single file is no Markdown.
 * @throws PayloadTooLargeException - It is over a limit.
 */
export async function readUpload(
  { archive = [], files = [] }: Upload,
  limits: UploadLimits = UPLOAD_LIMITS,
): Promise<MarkdownFile[]> {
  const collection = new MarkdownCollection(limits);
  for (const { buffer } of archive) {
    await readArchive(buffer, collection, limits);
  }
  for (const { buffer, originalname } of files) {
    const name = safeName(originalname);
    if (!isMarkdown(name)) {
      throw new BadRequestException(
        `The file '${name}' is not Markdown: its name must end in .md or .markdown.`,
      );
    }
    collection.add(name, buffer);
  }
  return collection.files;
}
