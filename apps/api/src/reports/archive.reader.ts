import { setImmediate } from 'node:timers/promises';
import { BadRequestException, HttpException, PayloadTooLargeException } from '@nestjs/common';
import { Unzip, UnzipInflate, type UnzipFile } from 'fflate';

import { isMarkdown, type MarkdownCollection, safeName } from './markdown-file.js';
import { UPLOAD_LIMITS, type UploadLimits } from './upload.limits.js';

/**
 * Bytes that are unpacked at a time. Deflate makes at most 1,032 bytes of one, so that a bomb is
 * noticed before it has grown by 5 MB.
 */
const CHUNK = 4096;

/**
 * Takes the Markdown files of a zip archive into `collection`.
 *
 * The archive is read once from front to back, only Markdown is unpacked, and reading ends with
 * the first byte that is over a limit: what the archive says of its sizes is not believed, and
 * overlapping entries have no effect.
 *
 * @throws BadRequestException - It is no zip archive, is damaged or encrypted, or has an entry
 * with a harmful name.
 * @throws PayloadTooLargeException - It is over a limit.
 */
export async function readArchive(
  archive: Uint8Array,
  collection: MarkdownCollection,
  limits: UploadLimits = UPLOAD_LIMITS,
): Promise<void> {
  if (!isZip(archive)) {
    throw new BadRequestException(
      "The field 'archive' is not a zip archive: pack the folder as .zip, or send its files in " +
        "the field 'files'.",
    );
  }
  const reading = new ArchiveReading(collection, limits);
  try {
    for (let at = 0; at < archive.length; at += CHUNK) {
      reading.push(archive.subarray(at, at + CHUNK), at + CHUNK >= archive.length);
      // Other requests get their turn.
      await setImmediate();
    }
    reading.assertComplete();
  } catch (error) {
    throw error instanceof HttpException ? error : damaged(error);
  }
}

class ArchiveReading {
  private readonly unzip = new Unzip((entry) => this.onEntry(entry));
  private entries = 0;
  /** Names of the entries whose end has not come. */
  private readonly open = new Set<string>();

  constructor(
    private readonly collection: MarkdownCollection,
    private readonly limits: UploadLimits,
  ) {
    this.unzip.register(UnzipInflate);
  }

  push(chunk: Uint8Array, isLast: boolean): void {
    this.unzip.push(chunk, isLast);
  }

  assertComplete(): void {
    for (const name of this.open) {
      throw new Error(`'${name}' has no end`);
    }
  }

  private onEntry(entry: UnzipFile): void {
    this.entries += 1;
    if (this.entries > this.limits.files) {
      throw new PayloadTooLargeException(
        `The archive has more than ${this.limits.files} entries: pack only what is to be read.`,
      );
    }
    const name = safeName(entry.name);
    if (isMarkdown(name) && !isResourceFork(name)) {
      this.unpack(entry, name);
    }
  }

  private unpack(entry: UnzipFile, name: string): void {
    const chunks: Uint8Array[] = [];
    let size = 0;
    this.open.add(name);
    entry.ondata = (error, chunk, isFinal) => {
      if (error) {
        throw error;
      }
      size += chunk.length;
      this.collection.check(name, size);
      chunks.push(chunk);
      if (isFinal) {
        this.open.delete(name);
        this.collection.add(name, Buffer.concat(chunks));
      }
    };
    entry.start();
  }
}

/** What macOS packs beside each file. */
function isResourceFork(name: string): boolean {
  return name.startsWith('__MACOSX/') || /(?:^|\/)\._[^/]*$/.test(name);
}

/** Whether it begins as a zip archive with entries, or as an empty one. */
function isZip(bytes: Uint8Array): boolean {
  const signature = Buffer.from(bytes.subarray(0, 4)).toString('latin1');
  return signature === 'PK\u0003\u0004' || signature === 'PK\u0005\u0006';
}

function damaged(cause: unknown): BadRequestException {
  return new BadRequestException(
    'The archive is damaged, encrypted or packed in a way that is not supported ' +
      `(${cause instanceof Error ? cause.message : String(cause)}): pack it again as an ordinary ` +
      'zip file.',
    { cause },
  );
}
