import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BadRequestException, PayloadTooLargeException } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

import { FolderReader } from './folder.reader.js';

describe('FolderReader', () => {
  let directory: string;
  let reader: FolderReader;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'folder-reader-'));
    await mkdir(join(directory, 'root/guides/deep'), { recursive: true });
    await mkdir(join(directory, 'root-2'));
    await writeFile(join(directory, 'root/b.md'), 'b');
    await writeFile(join(directory, 'root/a.txt'), 'a');
    await writeFile(join(directory, 'root/guides/deep/c.md'), 'c');
    await writeFile(join(directory, 'root-2/secret.md'), 'secret');
    await symlink(join(directory, 'root-2'), join(directory, 'root/escape'));
    await symlink(join(directory, 'root-2/secret.md'), join(directory, 'root/link.md'));
    reader = new FolderReader(new ConfigService({ REPORTS_ROOT: join(directory, 'root') }));
  });

  afterAll(() => rm(directory, { recursive: true }));

  it.each([undefined, '', '.', 'guides/..'])('reads the root for %j', async (folder) => {
    expect(await reader.read(folder)).toEqual([
      { name: 'b.md', markdown: 'b' },
      { name: 'guides/deep/c.md', markdown: 'c' },
    ]);
  });

  it('reads a folder below the root, with names relative to it', async () => {
    expect(await reader.read('guides')).toEqual([{ name: 'deep/c.md', markdown: 'c' }]);
  });

  it.each([
    '..',
    '../root-2',
    'guides/../../root-2',
    '/etc',
    'escape',
    'b.md',
    'missing',
    'a\u0000b',
  ])('refuses %j, with the same words', async (folder) => {
    await expect(reader.read(folder)).rejects.toThrow(BadRequestException);
    await expect(reader.read(folder)).rejects.toThrow('There is no folder');
  });

  it('refuses what is over the limits', async () => {
    const limits = { totalBytes: 10, files: 10, fileBytes: 10 };
    for (const tight of [{ totalBytes: 1 }, { files: 1 }, { fileBytes: 0 }]) {
      await expect(reader.read('', { ...limits, ...tight })).rejects.toThrow(
        PayloadTooLargeException,
      );
    }
  });
});
