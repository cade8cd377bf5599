import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What the commands of a page may use. */
export interface Commands {
  /** Root of the repository. */
  readonly root: string;
  /** The scripts of package.json. */
  readonly scripts: Readonly<Record<string, string>>;
}

const KNOWN = new Set(['cd', 'cp', 'curl', 'git', 'kill', 'nest', 'node', 'npm', 'npx']);
const NPM_COMMANDS = new Set(['ci', 'install']);
const FOLDERS = /^(?:\.\/)?(?:apps|bench|dist|docs|libs|test|tools)\//;

/**
 * Checks a `bash` block: that its programs are known, its npm scripts and the files of this
 * repository that it names exist.
 *
 * @returns One sentence for each fault.
 */
export function commandFaults(text: string, commands: Commands): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => line.split(/\s+(?:&&|\|\|?)\s+/))
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => faultsOf(line, commands));
}

function faultsOf(line: string, { root, scripts }: Commands): string[] {
  const words = line.split(/\s+/).map((word) => word.replaceAll(/^['"]|['"]$/g, ''));
  while (/^[A-Z_]+=/.test(words[0] ?? '')) words.shift();
  const [program = '', first = '', second = ''] = words;
  const faults: string[] = [];
  if (!KNOWN.has(program)) faults.push(`'${program}' is no known program.`);
  if (program === 'npm') {
    const script = first === 'run' ? second : first;
    const body = scripts[script];
    if (first === 'run' || !NPM_COMMANDS.has(first)) {
      if (body === undefined) faults.push(`package.json has no script '${script}'.`);
      const file = /^node ([\w./-]+\.mjs)/.exec(body ?? '')?.[1];
      if (file !== undefined && !existsSync(join(root, file))) {
        faults.push(`The script '${script}' runs '${file}', which does not exist.`);
      }
    }
  }
  for (const word of words) {
    if (FOLDERS.test(word) && !exists(root, word)) faults.push(`There is no file '${word}'.`);
  }
  return faults;
}

/** A built file counts when its source is there. */
function exists(root: string, word: string): boolean {
  const path = word.replace(/^\.\//, '');
  const source = path.replace(/^dist\/(?:apps\/[^/]+\/)?/, '').replace(/\.js$/, '.ts');
  return existsSync(join(root, path)) || existsSync(join(root, source));
}
