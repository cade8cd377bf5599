import { release } from 'node:os';

export interface BannerFacts {
  readonly nodeName: string;
  readonly version: string;
  readonly appName: string;
  readonly transport: string;
  readonly results: string;
  readonly concurrency: number;
  readonly pool: string;
  readonly queues: readonly string[];
  readonly taskNames: readonly string[];
  readonly now: Date;
}

/** The start banner and the list of tasks, drawn as Celery draws them. */
export function renderBanner(facts: BannerFacts): string {
  const system = `${process.platform}-${release()}-${process.arch}-node${process.versions.node}`;
  const [queue, ...moreQueues] = facts.queues.map(renderQueue);
  const lines = [
    ` -------------- ${facts.nodeName} v${facts.version}`,
    `--- ***** ----- `,
    `-- ******* ---- ${system} ${formatTime(facts.now)}`,
    `- *** --- * --- `,
    `- ** ---------- [config]`,
    `- ** ---------- .> app:         ${facts.appName}`,
    `- ** ---------- .> transport:   ${facts.transport}`,
    `- ** ---------- .> results:     ${facts.results}`,
    `- *** --- * --- .> concurrency: ${facts.concurrency} (${facts.pool})`,
    `-- ******* ---- .> task events: OFF`,
    `--- ***** ----- `,
    ` -------------- [queues]`,
    `                ${queue ?? ''}`,
    ...moreQueues.map((line) => `                ${line}`),
    '',
    '[tasks]',
    ...facts.taskNames.map((name) => `  . ${name}`),
    '',
  ];
  return lines.join('\n');
}

function renderQueue(name: string): string {
  return `.> ${name.padEnd(16)} exchange=${name}(direct) key=${name}`;
}

function formatTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
