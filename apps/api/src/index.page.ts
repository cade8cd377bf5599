const ENDPOINTS = [
  ['GET', '/tasks', 'names of the tasks'],
  ['POST', '/tasks/:name', 'call a task: JSON { "args": [], "kwargs": {}, "options": {} }'],
  ['GET', '/tasks/:id', 'state, result, error and metadata'],
  ['GET', '/tasks/:id/wait?timeout=5', 'the same when the task has ended; 504 after the timeout'],
  ['DELETE', '/tasks/:id', 'forget the result'],
  ['POST', '/reports', 'report on a folder, a .zip or single files of Markdown'],
  ['GET', '/reports/:id', 'progress of a report'],
  ['GET', '/reports/:id/report', 'the report; 409 while it is not ready'],
  ['GET', '/reports/:id/files/:index', 'a file of the report, rendered'],
  ['GET', '/health', 'whether the broker answers'],
] as const;

const BASE = `localhost:${process.env['PORT'] ?? 3000}`;

const EXAMPLES = [
  `curl -X POST ${BASE}/tasks/demoapp.tasks.add -H 'Content-Type: application/json' -d '{"args":[2,3]}'`,
  `curl -X POST ${BASE}/reports`,
  `curl -X POST ${BASE}/reports -H 'Content-Type: application/json' -d '{"folder":"guides"}'`,
  `curl -X POST ${BASE}/reports -F archive=@notes.zip -F files=@README.md`,
];

/** What `GET /` shows. */
export const INDEX_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>nestjs-celery sample</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  td { padding: .2rem 1rem .2rem 0; vertical-align: top }
  pre { background: #8881; padding: 1rem; overflow-x: auto }
</style>
<h1>nestjs-celery sample</h1>
<p>This application publishes tasks, and a worker runs them.</p>
<table>
${ENDPOINTS.map(([method, path, what]) => `<tr><td><code>${method}</code><td>${link(method, path)}<td>${what}`).join('\n')}
</table>
<h2>Try it</h2>
<pre>${EXAMPLES.join('\n')}</pre>
</html>
`;

function link(method: string, path: string): string {
  return method === 'GET' && !path.includes(':')
    ? `<a href="${path}"><code>${path}</code></a>`
    : `<code>${path}</code>`;
}
