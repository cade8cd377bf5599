import { BadRequestException, PayloadTooLargeException } from '@nestjs/common';

import type { UploadLimits } from './upload.limits.js';

/** A file that a report is made of. */
export interface MarkdownFile {
  /** With its folders, separated by `/`. A label: no file is ever written under it. */
  readonly name: string;
  readonly markdown: string;
}

const LONGEST_NAME = 500;

export function isMarkdown(name: string): boolean {
  return /\.(?:md|markdown)$/i.test(name);
}

/**
 * The name of an uploaded file or of an entry of an archive, once it is known to be harmless.
 *
 * @throws BadRequestException - It is empty, very long, absolute, or has control characters or
 * `..` in it. Nothing is written to disk here, but such a name is made to do harm.
 */
export function safeName(name: string): string {
  const segments = name.replaceAll('\\', '/').split('/');
  const isHarmful =
    segments[0] === '' ||
    segments.includes('..') ||
    /^[a-z]:/i.test(name) ||
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f]/.test(name) ||
    name.length > LONGEST_NAME;
  const safe = segments.filter((segment) => segment !== '' && segment !== '.').join('/');
  if (isHarmful || safe === '') {
    throw new BadRequestException(
      `The upload has a file with the name ${JSON.stringify(name.slice(0, 80))}: names must be ` +
        `relative, without '..' and control characters, and have 1 to ${LONGEST_NAME} characters.`,
    );
  }
  return safe;
}

/** @throws BadRequestException - The bytes are not UTF-8. */
export function decodeMarkdown(name: string, bytes: Uint8Array): MarkdownFile {
  try {
    return { name, markdown: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (cause) {
    throw new BadRequestException(`The file '${name}' is not UTF-8 text: convert it first.`, {
      cause,
    });
  }
}

/** Takes Markdown files in one by one, and refuses the first that is too much. */
export class MarkdownCollection {
  readonly files: MarkdownFile[] = [];
  private bytes = 0;

  constructor(private readonly limits: UploadLimits) {}

  /** @throws PayloadTooLargeException - The file, or all together, are over the limits. */
  add(name: string, bytes: Uint8Array): void {
    this.check(name, bytes.length);
    this.bytes += bytes.length;
    this.files.push(decodeMarkdown(name, bytes));
  }

  /** Whether a file of at least this size fits; throws as `add`, before the file is read. */
  check(name: string, size: number): void {
    const { fileBytes, files, totalBytes } = this.limits;
    if (size > fileBytes) {
      throw new PayloadTooLargeException(
        `The file '${name}' is larger than the ${fileBytes} bytes that a file may have.`,
      );
    }
    if (this.bytes + size > totalBytes) {
      throw new PayloadTooLargeException(
        `The files have more than ${totalBytes} bytes in all: make several reports of them.`,
      );
    }
    if (this.files.length >= files) {
      throw new PayloadTooLargeException(
        `There are more than ${files} files: make several reports of them.`,
      );
    }
  }
}
