import { format } from 'node:util';
import { jest } from '@jest/globals';

const UUID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g;
const ORIGIN = /\bgen\d+@[\w.-]+/g;
const NODE = /\bcelery@[\w.-]+/g;

/**
 * Runs a file, and gives what it printed with `console.log`. What differs from run to run is
 * replaced: ids by `<id>`, process ids by `<pid>`, names of hosts by `<host>`.
 */
export async function outputOf(path: string): Promise<string> {
  const lines: string[] = [];
  const log = jest.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
    lines.push(format(...values));
  });
  try {
    await import(path);
  } finally {
    log.mockRestore();
  }
  return lines
    .join('\n')
    .replaceAll(UUID, '<id>')
    .replaceAll(ORIGIN, 'gen<pid>@<host>')
    .replaceAll(NODE, 'celery@<host>');
}
