import { describe, expect, it } from '@jest/globals';
import { renderBanner } from './worker.banner.js';

const FACTS = {
  nodeName: 'celery@web-1',
  version: '1.2.3',
  appName: 'celery',
  transport: 'redis://localhost:6379/0',
  results: 'redis://localhost:6379/1',
  concurrency: 4,
  pool: 'async',
  queues: ['celery', 'mail'],
  taskNames: ['app.add', 'app.mul'],
  now: new Date(2026, 0, 2, 3, 4, 5),
};

describe('renderBanner', () => {
  it('shows what runs, as Celery does', () => {
    const lines = renderBanner(FACTS).split('\n');
    expect(lines[0]).toBe(' -------------- celery@web-1 v1.2.3');
    expect(lines[2]).toMatch(/^-- \*{7} ---- \S+ 2026-01-02 03:04:05$/);
    expect(lines).toEqual(
      expect.arrayContaining([
        '- ** ---------- .> app:         celery',
        '- ** ---------- .> transport:   redis://localhost:6379/0',
        '- ** ---------- .> results:     redis://localhost:6379/1',
        '- *** --- * --- .> concurrency: 4 (async)',
        '                .> celery           exchange=celery(direct) key=celery',
        '                .> mail             exchange=mail(direct) key=mail',
        '[tasks]',
        '  . app.add',
        '  . app.mul',
      ]),
    );
  });

  it('takes a worker without tasks and long names of queues', () => {
    const banner = renderBanner({ ...FACTS, taskNames: [], queues: ['q'.repeat(40)] });
    expect(banner).toContain(`.> ${'q'.repeat(40)} exchange=`);
    expect(banner).toMatch(/\[tasks\]\n$/);
  });
});
