import { describe, expect, it } from '@jest/globals';
import { OperationalError } from '../errors/task-queue.errors.js';
import { pauseAfter, StoreWatch } from './store-watch.js';

function setup() {
  const lines: string[] = [];
  const note = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  const logger = {
    debug: note('debug'),
    log: note('log'),
    warn: note('warn'),
    error: note('error'),
  };
  return { lines, watch: new StoreWatch('redis://host:6379/0', logger) };
}

describe('StoreWatch', () => {
  it('says once that the store is away, however many calls fail', () => {
    const { watch, lines } = setup();
    expect(watch.isAway).toBe(false);
    watch.failed(new OperationalError('It is away.'));
    watch.failed(new OperationalError('It is still away.'));
    watch.failed('anything');
    expect(watch.isAway).toBe(true);
    expect(lines).toEqual([
      'warn: consumer: Connection to broker lost. Trying to re-establish the connection... ' +
        'It is away.',
    ]);
  });

  it('says once that it is back, and tells whether it was away', () => {
    const { watch, lines } = setup();
    expect(watch.answered()).toBe(false);
    expect(lines).toEqual([]);
    watch.failed('gone');
    lines.length = 0;
    expect(watch.answered()).toBe(true);
    expect(watch.answered()).toBe(false);
    expect(watch.isAway).toBe(false);
    expect(lines).toEqual(['log: Connected to redis://host:6379/0']);
  });

  it('pauses longer with every probe, up to 5 s, and begins anew after an answer', () => {
    const { watch } = setup();
    watch.failed('gone');
    const pauses = Array.from({ length: 7 }, () => watch.nextPause());
    expect(pauses).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
    watch.answered();
    expect(watch.nextPause()).toBe(200);
  });

  it('is not made impatient or slow by calls that fail together', () => {
    const { watch } = setup();
    for (let call = 0; call < 50; call += 1) {
      watch.failed('gone');
    }
    expect(watch.nextPause()).toBe(200);
  });
});

it('pauseAfter never overflows', () => {
  expect(pauseAfter(1)).toBe(200);
  expect(pauseAfter(5000)).toBe(5000);
});
