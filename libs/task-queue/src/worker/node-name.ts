import { hostname } from 'node:os';

/**
 * Expands the node name as Celery does: `%h` host with domain, `%n` host without domain, `%d`
 * domain, `%p` process id, `%%` a percent sign. A name without `@` gets `@<host>`.
 */
export function expandNodeName(template: string, host = hostname()): string {
  const [shortName = host, ...domain] = host.split('.');
  const values: Readonly<Record<string, string>> = {
    h: host,
    n: shortName,
    d: domain.join('.'),
    p: String(process.pid),
    '%': '%',
  };
  const name = template.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole);
  return name.includes('@') ? name : `${name}@${host}`;
}
