import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { strToU8, zipSync } from 'fflate';
import { TaskWorker } from 'nestjs-celery';
import request from 'supertest';

import { ApiModule } from '../../apps/api/src/api.module.js';
import { configureApp } from '../../apps/api/src/configure-app.js';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { describeWithRedis, postgresUrl, redisUrl } from '../support/stores.js';

const UNKNOWN = '00000000-0000-7000-8000-000000000000';

/** The folder that reports are made of. */
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sample-app-'));
  await mkdir(join(root, 'guides'));
  await writeFile(join(root, 'guides/first.md'), '# First steps\n\nSee [the guide](guide.md).\n');
  await writeFile(join(root, 'index.md'), '# Index\n\n## Two\n\nTwo words\n');
});

afterAll(() => rm(root, { recursive: true }));

type Environment = Readonly<Record<string, string>>;

/** Sets variables, and returns what undoes it. */
function setEnvironment(variables: Environment): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = value;
      }
    }
  };
}

async function startApi(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(ApiModule, {
    abortOnError: false,
    logger: false,
  });
  configureApp(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

function sampleApp(environment: () => Environment): void {
  let api: NestExpressApplication;
  let worker: INestApplicationContext;
  let resetEnvironment: () => void;
  const http = (): ReturnType<typeof request> => request(api.getHttpServer());

  beforeAll(async () => {
    resetEnvironment = setEnvironment({ REPORTS_ROOT: root, ...environment() });
    api = await startApi();
    worker = await NestFactory.createApplicationContext(WorkerModule, {
      abortOnError: false,
      logger: false,
    });
    await worker.get(TaskWorker).start();
  });

  afterAll(async () => {
    await api?.close();
    await worker?.close();
    resetEnvironment();
  });

  async function call(name: string, body: object = {}): Promise<string> {
    const { body: answer } = await http().post(`/tasks/${name}`).send(body).expect(202);
    return (answer as { taskId: string }).taskId;
  }

  /** Waits for a report through the results of its tasks. */
  async function finish(links: { progress: string }): Promise<void> {
    const { body } = await http().get(links.progress).expect(200);
    const { files } = body as { files: { taskId: string }[] };
    for (const { taskId } of files) {
      await http().get(`/tasks/${taskId}/wait?timeout=30`).expect(200);
    }
  }

  describe('the index', () => {
    it('lists the endpoints', async () => {
      const { text } = await http().get('/').expect(200).expect('Content-Type', /html/);
      expect(text).toContain('/tasks/:name');
      expect(text).toContain('/reports');
    });

    it('says that the broker answers', async () => {
      const { body } = await http().get('/health').expect(200);
      expect(body).toEqual({ status: 'ok' });
    });
  });

  describe('tasks', () => {
    it('are listed', async () => {
      const { body } = await http().get('/tasks').expect(200);
      const names = (body as { tasks: { name: string }[] }).tasks.map(({ name }) => name);
      expect(names).toContain('demoapp.tasks.add');
      expect(names).toContain('reports.tasks.processFile');
    });

    it('are called, and their results waited for', async () => {
      const { body } = await http()
        .post('/tasks/demoapp.tasks.add')
        .send({ args: [2, 3] })
        .expect(202);
      const { links, taskId } = body as { taskId: string; links: { self: string; wait: string } };
      expect(body).toEqual({
        taskId,
        state: 'PENDING',
        resultIgnored: false,
        links: { self: `/tasks/${taskId}`, wait: `/tasks/${taskId}/wait` },
      });

      const ended = await http().get(`${links.wait}?timeout=20`).expect(200);
      expect(ended.body).toMatchObject({
        taskId,
        state: 'SUCCESS',
        ready: true,
        exists: true,
        result: 5,
        error: null,
        metadata: { name: 'demoapp.tasks.add', args: [2, 3], queue: 'celery', retries: 0 },
      });
      expect((await http().get(links.self).expect(200)).body).toEqual(ended.body);
    });

    it('take lists', async () => {
      const id = await call('demoapp.tasks.xsum', { args: [[1, 2, 3]] });
      const { body } = await http().get(`/tasks/${id}/wait?timeout=20`).expect(200);
      expect(body).toMatchObject({ result: 6 });
    });

    it('take options', async () => {
      const id = await call('demoapp.tasks.mul', { args: [2, 3], options: { countdown: 3600 } });
      const { body } = await http().get(`/tasks/${id}`).expect(200);
      expect(body).toMatchObject({ state: 'PENDING', ready: false, exists: true, result: null });
      await http().get(`/tasks/${id}/wait?timeout=0`).expect(504);
    });

    it('that fail answer 200 with their error', async () => {
      const id = await call('reports.tasks.processFile', { args: ['job', 'a.md', 5] });
      const { body } = await http().get(`/tasks/${id}/wait?timeout=20`).expect(200);
      expect(body).toMatchObject({
        state: 'FAILURE',
        result: null,
        error: { name: expect.any(String), traceback: expect.stringContaining('at ') },
      });
    });

    it('whose result is ignored say so, and run', async () => {
      const log = jest.spyOn(console, 'log').mockImplementation(() => undefined);
      const printed = new Promise((done) => log.mockImplementation(done));
      const { body } = await http().post('/tasks/nest_blog.celery.debug_task').expect(202);
      const { taskId } = body as { taskId: string };
      expect(body).toMatchObject({ resultIgnored: true });
      expect(await printed).toContain(`id: '${taskId}'`);
      log.mockRestore();
    });

    it('are forgotten', async () => {
      const id = await call('demoapp.tasks.add', { args: [1, 1] });
      await http().get(`/tasks/${id}/wait?timeout=20`).expect(200);
      await http().delete(`/tasks/${id}`).expect(204);
      const { body } = await http().get(`/tasks/${id}`).expect(200);
      expect(body).toMatchObject({ state: 'PENDING', exists: false });
    });

    it('that never were read PENDING and do not exist', async () => {
      const { body } = await http().get(`/tasks/${UNKNOWN}`).expect(200);
      expect(body).toMatchObject({ state: 'PENDING', exists: false, result: null, error: null });
      await http().delete(`/tasks/${UNKNOWN}`).expect(204);
    });

    it.each([
      ['an unknown name', 'demoapp.tasks.ad', {}, /Did you mean 'demoapp\.tasks\.add'/],
      ['too few arguments', 'demoapp.tasks.add', { args: [1] }, /missing 1 required/],
      ['too many arguments', 'demoapp.tasks.add', { args: [1, 2, 3] }, /takes 2 positional/],
      ['arguments that are no list', 'demoapp.tasks.add', { args: 5 }, /args/],
      ['an unknown field', 'demoapp.tasks.add', { arg: [] }, /arg/],
      [
        'an unknown option',
        'demoapp.tasks.add',
        { args: [1, 2], options: { countdwn: 1 } },
        /'countdown'/,
      ],
      [
        'a wrong option',
        'demoapp.tasks.add',
        { args: [1, 2], options: { countdown: [] } },
        /countdown/,
      ],
    ])('are refused with %s', async (_what, name, body, message) => {
      const answer = await http().post(`/tasks/${name}`).send(body).expect(400);
      expect(String((answer.body as { message: unknown }).message)).toMatch(message);
    });

    it.each(['%00', 'a:b', 'a'.repeat(201)])('are not looked for under %s', async (id) => {
      expect((await http().get(`/tasks/${id}`)).status).toBe(400);
    });

    it.each(['-1', '61', 'soon'])('are not waited for during %s', async (timeout) => {
      const { status } = await http().get(`/tasks/${UNKNOWN}/wait?timeout=${timeout}`);
      expect(status).toBe(400);
    });
  });

  describe('reports', () => {
    it('are made of a folder', async () => {
      const { body } = await http().post('/reports').expect(202);
      const { links, reportId, total } = body as {
        links: { progress: string; report: string };
        reportId: string;
        total: number;
      };
      expect(total).toBe(2);
      await finish(links);

      const { body: progress } = await http().get(links.progress).expect(200);
      expect(progress).toMatchObject({ total: 2, done: 2, failed: 0, percent: 100 });
      expect((progress as { files: object[] }).files).toMatchObject([
        { name: 'guides/first.md', state: 'SUCCESS' },
        { name: 'index.md', state: 'SUCCESS' },
      ]);

      const { body: report } = await http().get(links.report).expect(200);
      expect(report).toMatchObject({
        reportId,
        failures: [],
        files: [
          { name: 'guides/first.md', title: 'First steps', words: 5, links: 1, headings: 1 },
          { name: 'index.md', title: 'Index', words: 4, links: 0, headings: 2 },
        ],
        totals: { files: 2, words: 9, links: 1, headings: 3, readingMinutes: 1 },
      });

      const html = await http().get(`/reports/${reportId}/files/1`).expect(200);
      expect(html.headers['content-security-policy']).toContain('sandbox');
      expect(html.text).toContain('<h1>Index</h1>');
      await http().get(`/reports/${reportId}/files/2`).expect(404);
      await http().get(`/reports/${reportId}/files/x`).expect(400);
    });

    it('are made of a folder below', async () => {
      const { body } = await http().post('/reports').send({ folder: 'guides' }).expect(202);
      expect(body).toMatchObject({ total: 1 });
    });

    it('are made of an archive and of files', async () => {
      const archive = zipSync({ notes: { 'a.md': strToU8('# A'), 'b.txt': strToU8('b') } });
      const { body } = await http()
        .post('/reports')
        .attach('archive', Buffer.from(archive), 'notes.zip')
        .attach('files', Buffer.from('\u4efb\u52a1'), '\u4efb\u52a1.md')
        .expect(202);
      const { links } = body as { links: { progress: string; report: string } };
      await finish(links);
      const { body: report } = await http().get(links.report).expect(200);
      expect(report).toMatchObject({
        files: [{ name: 'notes/a.md' }, { name: '\u4efb\u52a1.md', words: 2 }],
      });
    });

    it('tell of the files that failed', async () => {
      const table = `${'|'.repeat(3000)}\n${'|a\n'.repeat(1000)}`;
      const { body } = await http()
        .post('/reports')
        .attach('files', Buffer.from(table), 'bomb.md')
        .attach('files', Buffer.from('fine'), 'fine.md')
        .expect(202);
      const { links } = body as { links: { progress: string; report: string } };
      await finish(links);
      const { body: progress } = await http().get(links.progress).expect(200);
      expect(progress).toMatchObject({ total: 2, done: 2, failed: 1, percent: 100 });
      const { body: report } = await http().get(links.report).expect(200);
      expect(report).toMatchObject({
        files: [{ name: 'fine.md' }],
        failures: [{ name: 'bomb.md', error: { name: 'RangeError' } }],
        totals: { files: 1 },
      });
    });

    it.each([{ folder: '..' }, { folder: '/etc' }, { folder: 'missing' }, { folder: 5 }, { f: 1 }])(
      'are refused for %j',
      async (body) => {
        const { status } = await http().post('/reports').send(body);
        expect(status).toBe(400);
      },
    );

    it.each([
      ['an archive that is none', { archive: ['a.zip', 'hello'] }, 400],
      [
        'an archive without Markdown',
        { archive: ['a.zip', zipSync({ 'a.txt': strToU8('a') })] },
        400,
      ],
      ['a file that is no Markdown', { files: ['a.txt', 'a'] }, 400],
      ['a harmful name', { files: ['../a.md', 'a'] }, 400],
      ['a field that is not known', { other: ['a.md', 'a'] }, 400],
      ['a file that is too large', { files: ['a.md', 'a'.repeat(1_000_001)] }, 413],
    ] as const)('are refused for %s', async (_what, upload, refusal) => {
      const post = http().post('/reports');
      for (const [field, [name, content]] of Object.entries(upload)) {
        // Of a filename the client would keep the last part alone.
        const options = { filepath: name } as object;
        void post.attach(field, Buffer.from(content), options);
      }
      const { status } = await post;
      expect(status).toBe(refusal);
    });

    it('are refused for an upload without files, or with a folder too', async () => {
      const { status } = await http().post('/reports').field('folder', 'guides');
      expect(status).toBe(400);
      const both = http().post('/reports').field('folder', 'guides');
      expect((await both.attach('files', Buffer.from('a'), 'a.md')).status).toBe(400);
    });

    it('that never were are not found', async () => {
      for (const path of ['', '/report', '/files/0']) {
        expect((await http().get(`/reports/${UNKNOWN}${path}`)).status).toBe(404);
      }
    });
  });
}

describe('the sample application on PostgreSQL', () => {
  sampleApp(() => ({
    CELERY_BROKER_URL: postgresUrl(),
    CELERY_BROKER_TRANSPORT_OPTIONS: JSON.stringify({ schema: `sample_${process.pid}` }),
  }));
});

describeWithRedis('the sample application on Redis', () => {
  sampleApp(() => ({
    CELERY_BROKER_URL: redisUrl(),
    CELERY_BROKER_TRANSPORT_OPTIONS: JSON.stringify({
      global_keyprefix: `sample-${process.pid}:`,
    }),
  }));
});

describe('the API of the sample application', () => {
  it('without a worker answers 409 for a report, and 504 for a wait', async () => {
    const resetEnvironment = setEnvironment({
      CELERY_BROKER_URL: postgresUrl(),
      CELERY_BROKER_TRANSPORT_OPTIONS: JSON.stringify({ schema: `sample_idle_${process.pid}` }),
      REPORTS_ROOT: root,
    });
    const api = await startApi();
    try {
      const http = request(api.getHttpServer());
      const { body } = await http.post('/reports').expect(202);
      const { links } = body as { links: { progress: string; report: string } };
      const { body: progress } = await http.get(links.progress).expect(200);
      expect(progress).toMatchObject({ total: 2, done: 0, failed: 0, percent: 0 });
      const { body: refusal } = await http.get(links.report).expect(409);
      expect(refusal).toMatchObject({ total: 2, done: 0, percent: 0 });
      const { taskId } = (progress as { files: [{ taskId: string }] }).files[0];
      await http.get(`/tasks/${taskId}/wait?timeout=0.05`).expect(504);
      await http.get(`${links.progress}/files/0`).expect(409);
    } finally {
      await api.close();
      resetEnvironment();
    }
  });

  it('answers 503, with a sentence and without the password, when the broker is away', async () => {
    const resetEnvironment = setEnvironment({
      CELERY_BROKER_URL: 'postgresql://postgres:secret@127.0.0.1:1/postgres',
      CELERY_BROKER_CONNECTION_TIMEOUT: '1',
      CELERY_TASK_PUBLISH_TIMEOUT: '1',
      REPORTS_ROOT: root,
    });
    const api = await startApi();
    try {
      const http = request(api.getHttpServer());
      for (const [method, path] of [
        ['get', '/health'],
        ['post', '/tasks/nest_blog.celery.debug_task'],
        ['get', `/tasks/${UNKNOWN}`],
        ['post', '/reports'],
      ] as const) {
        const { body, headers, text } = await http[method](path).expect(503);
        expect(body).toMatchObject({ error: 'OperationalError', statusCode: 503 });
        expect(headers['retry-after']).toBe('5');
        expect((body as { message: string }).message).toMatch(/127\.0\.0\.1:1/);
        expect(text).not.toContain('secret');
      }
      await http.get('/').expect(200);
      await http.get('/tasks').expect(200);
    } finally {
      await api.close();
      resetEnvironment();
    }
  });
});
