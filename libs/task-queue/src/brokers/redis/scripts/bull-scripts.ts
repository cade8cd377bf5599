import { createRequire } from 'node:module';

interface BullScript {
  readonly name: string;
  readonly keys: number;
  readonly content: string;
}

const bullScripts = createRequire(import.meta.url)('bullmq/dist/cjs/scripts') as Record<
  string,
  BullScript
>;

function bullScript(name: string): BullScript {
  const script = Object.values(bullScripts).find((candidate) => candidate.name === name);
  if (!script) {
    throw new Error(`BullMQ has no script '${name}': this version of BullMQ is not supported.`);
  }
  return script;
}

/** How many KEYS each of BullMQ's scripts takes. */
export const BULL_KEYS = {
  addStandardJob: bullScript('addStandardJob').keys,
  addDelayedJob: bullScript('addDelayedJob').keys,
  addPrioritizedJob: bullScript('addPrioritizedJob').keys,
  moveToActive: bullScript('moveToActive').keys,
  moveToFinished: bullScript('moveToFinished').keys,
  removeJob: bullScript('removeJob').keys,
} as const;

/** A BullMQ script as a Lua function of its KEYS and ARGV. */
export function asFunction(localName: string, scriptName: string): string {
  return `local function ${localName}(KEYS, ARGV)\n${bullScript(scriptName).content}\nend\n`;
}
