import { describe, expect, it } from '@jest/globals';
import { BadRequestException, PayloadTooLargeException } from '@nestjs/common';
import { strToU8, Zip, ZipDeflate, type Zippable, zipSync } from 'fflate';

import { readArchive } from './archive.reader.js';
import { MarkdownCollection, type MarkdownFile } from './markdown-file.js';
import type { UploadLimits } from './upload.limits.js';

const LIMITS: UploadLimits = { totalBytes: 300_000, files: 5, fileBytes: 200_000 };

async function read(archive: Uint8Array): Promise<MarkdownFile[]> {
  const collection = new MarkdownCollection(LIMITS);
  await readArchive(archive, collection, LIMITS);
  return collection.files;
}

const text = (value: string): Uint8Array => strToU8(value);
const zip = (entries: Zippable): Uint8Array => zipSync(entries);

describe('readArchive', () => {
  it('reads Markdown in folders, compressed and stored, and leaves the rest', async () => {
    const archive = zip({
      'a.md': text('# A'),
      docs: { 'b.markdown': [text('b'), { level: 0 }], 'c.txt': text('c'), 'D.MD': text('') },
    });
    expect(await read(archive)).toEqual([
      { name: 'a.md', markdown: '# A' },
      { name: 'docs/b.markdown', markdown: 'b' },
      { name: 'docs/D.MD', markdown: '' },
    ]);
  });

  it('reads entries larger than a chunk, and names in Unicode', async () => {
    const markdown = Array.from({ length: 20_000 }, (_, index) => `${index}`).join(' ');
    const archive = zip({ '\u4efb\u52a1.md': text(markdown), 'z.md': text('z') });
    expect(await read(archive)).toEqual([
      { name: '\u4efb\u52a1.md', markdown },
      { name: 'z.md', markdown: 'z' },
    ]);
  });

  it('reads archives that were written as a stream, without sizes in front', async () => {
    const chunks: Uint8Array[] = [];
    const stream = new Zip((_error, chunk) => chunks.push(chunk));
    for (const name of ['a.md', 'b.md']) {
      const entry = new ZipDeflate(name);
      stream.add(entry);
      entry.push(text(`in ${name}`), true);
    }
    stream.end();
    expect(await read(Buffer.concat(chunks))).toEqual([
      { name: 'a.md', markdown: 'in a.md' },
      { name: 'b.md', markdown: 'in b.md' },
    ]);
  });

  it('leaves what macOS packs beside files', async () => {
    const archive = zip({ '__MACOSX/._a.md': text('x'), '._b.md': text('x'), 'a.md': text('a') });
    expect(await read(archive)).toEqual([{ name: 'a.md', markdown: 'a' }]);
  });

  it('has no files for an archive without Markdown, or without anything', async () => {
    expect(await read(zip({ 'a.txt': text('a') }))).toEqual([]);
    expect(await read(zip({}))).toEqual([]);
  });

  it.each(['../a.md', 'docs/../../a.md', '/etc/a.md', 'C:/a.md', '..\\a.md', 'a\u0000.md'])(
    'refuses the name %j',
    async (name) => {
      await expect(read(zip({ 'ok.md': text('ok'), [name]: text('x') }))).rejects.toThrow(
        BadRequestException,
      );
    },
  );

  it('refuses a harmful name also of a file that is no Markdown', async () => {
    await expect(read(zip({ '../a.sh': text('x') }))).rejects.toThrow(BadRequestException);
  });

  it('refuses too many entries, of whatever kind', async () => {
    const entries = Object.fromEntries(
      Array.from({ length: LIMITS.files + 1 }, (_, index) => [`${index}.txt`, text('x')]),
    );
    await expect(read(zip(entries))).rejects.toThrow(PayloadTooLargeException);
  });

  it('refuses a file that is too large, to the byte', async () => {
    const fitting = zip({ 'a.md': new Uint8Array(LIMITS.fileBytes).fill(97) });
    expect(await read(fitting)).toHaveLength(1);
    const tooLarge = zip({ 'a.md': new Uint8Array(LIMITS.fileBytes + 1).fill(97) });
    await expect(read(tooLarge)).rejects.toThrow(/'a\.md' is larger than the 200000 bytes/);
  });

  it('refuses files that are too large together', async () => {
    const file = new Uint8Array(LIMITS.totalBytes / 2).fill(97);
    const archive = zip({ 'a.md': file, 'b.md': file, 'c.md': text('c') });
    await expect(read(archive)).rejects.toThrow(PayloadTooLargeException);
  });

  it('stops a bomb early that lies about its size', async () => {
    const bomb = zip({ 'a.md': new Uint8Array(100_000_000) });
    // The unpacked size, in the entry's own header and in the directory at the end.
    const view = new DataView(bomb.buffer, bomb.byteOffset);
    view.setUint32(22, 10, true);
    view.setUint32(
      Buffer.from(bomb).lastIndexOf('PK\u0001\u0002', undefined, 'latin1') + 24,
      10,
      true,
    );
    expect(bomb.length).toBeLessThan(110_000);
    const before = process.memoryUsage().arrayBuffers;
    await expect(read(bomb)).rejects.toThrow(PayloadTooLargeException);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  it('does not unpack what is no Markdown', async () => {
    expect(await read(zip({ 'a.bin': new Uint8Array(50_000_000), 'a.md': text('a') }))).toEqual([
      { name: 'a.md', markdown: 'a' },
    ]);
  });

  it('refuses text that is not UTF-8, and names the file', async () => {
    const archive = zip({ 'a.md': Uint8Array.of(0xff, 0xfe, 0x41) });
    await expect(read(archive)).rejects.toThrow("The file 'a.md' is not UTF-8 text");
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['text', text('hello')],
    ['a gzip file', Uint8Array.of(0x1f, 0x8b, 8, 0)],
  ])('refuses %s', async (_what, bytes) => {
    await expect(read(bytes)).rejects.toThrow('is not a zip archive');
  });

  it('refuses an archive that was cut or altered', async () => {
    const archive = zip({ 'a.md': text('some text that can be compressed '.repeat(50)) });
    await expect(read(archive.subarray(0, 60))).rejects.toThrow(BadRequestException);
    const altered = archive.slice();
    altered.fill(0xff, 40, 60);
    await expect(read(altered)).rejects.toThrow(BadRequestException);
  });

  it('refuses a kind of compression that it does not know', async () => {
    const archive = zip({ 'a.md': text('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') });
    archive[8] = 12;
    await expect(read(archive)).rejects.toThrow(BadRequestException);
  });
});
