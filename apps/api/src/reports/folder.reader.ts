import { open, readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { BadRequestException, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

import { isMarkdown, MarkdownCollection, type MarkdownFile } from './markdown-file.js';
import { UPLOAD_LIMITS, type UploadLimits } from './upload.limits.js';

/** Reads Markdown below one folder of this machine, `REPORTS_ROOT`, and nowhere else. */
@Injectable()
export class FolderReader {
  private readonly root: string;

  /** `REPORTS_ROOT`. Default: the folder `docs` where the application was started. */
  constructor(config: ConfigService) {
    this.root = resolve(config.get<string>('REPORTS_ROOT') || 'docs');
  }

  /**
   * The Markdown files of a folder and of those in it, sorted by name. Symbolic links are not
   * followed.
   *
   * @param folder - Relative to the root. Default: the root itself.
   * @throws BadRequestException - It does not exist, or is not below the root.
   * @throws PayloadTooLargeException - The files are over the limits.
   */
  async read(folder = '', limits: UploadLimits = UPLOAD_LIMITS): Promise<MarkdownFile[]> {
    const directory = await this.locate(folder);
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const names = entries
      // Of a link, isFile() says no.
      .filter((entry) => entry.isFile() && isMarkdown(entry.name))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
      .toSorted();
    const collection = new MarkdownCollection(limits);
    for (const name of names) {
      await addFile(collection, name.replaceAll(sep, '/'), join(directory, name));
    }
    return collection.files;
  }

  private async locate(folder: string): Promise<string> {
    const refused = new BadRequestException(
      `There is no folder ${JSON.stringify(folder)} to report on: give the path of a folder ` +
        'below REPORTS_ROOT, relative to it.',
    );
    if (isAbsolute(folder) || folder.includes('\0')) {
      throw refused;
    }
    try {
      const root = await realpath(this.root);
      const directory = await realpath(join(root, folder));
      const path = relative(root, directory);
      const isBelow = path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
      if (isBelow && (await stat(directory)).isDirectory()) {
        return directory;
      }
    } catch {
      // Whether it is missing or may not be read is not told.
    }
    throw refused;
  }
}

async function addFile(collection: MarkdownCollection, name: string, path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    collection.check(name, size);
    collection.add(name, await file.readFile());
  } finally {
    await file.close();
  }
}
