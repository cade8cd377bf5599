import { isDeepStrictEqual } from 'node:util';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { readValue } from './readers/value.reader.js';
import type { ValueSetting } from './setting-definition.interface.js';
import { locateKey, suggestKey, type LocatedKey } from './setting-key.locator.js';
import { camelName, envName, spellName } from './setting-names.util.js';
import { applyRules } from './settings.rules.js';
import { settingsSchema } from './settings.schema.js';
import type { TaskQueueSettings } from './settings.types.js';
import { describeValue } from './value.describer.js';

/** Options of {@link parseSettings}. */
export interface ParseSettingsOptions {
  /** Where the settings come from, for error messages: `TaskQueueModule.forRoot()`. */
  readonly source: string;
  /** Prefix that names may have. Default `CELERY`. */
  readonly namespace?: string;
}

/** Settings that were read, and what there is to tell about them at the start. */
export interface ParsedSettings {
  /** Frozen. */
  readonly settings: TaskQueueSettings;
  /** Something to change: old names, settings that are not built yet. */
  readonly warnings: readonly string[];
  /** Something to know: settings that have nothing to do here. */
  readonly notes: readonly string[];
}

interface Given extends LocatedKey {
  readonly target: ValueSetting;
  readonly raw: unknown;
}

/**
 * Reads settings: names in UPPER_SNAKE (with or without `CELERY_`), lower_snake or camelCase;
 * values as such or as strings. `undefined` and the empty string mean "not set".
 *
 * @throws ImproperlyConfigured when anything is wrong. It lists everything that is.
 */
export function parseSettings(
  raw: Readonly<Record<string, unknown>>,
  { source, namespace = 'CELERY' }: ParseSettingsOptions,
): ParsedSettings {
  const problems: string[] = [];
  const given = collect(raw, namespace, problems);
  const { settings, failed } = readAll(given, problems);
  const verdict = applyRules(settings, failed, speller(given, namespace));
  problems.push(...verdict.problems);
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    throw new ImproperlyConfigured(
      `The task queue settings (from ${source}) have ${count}:\n` +
        problems.map((problem) => `- ${problem}`).join('\n'),
    );
  }
  const remarks = remarksOn(given, settings);
  return {
    settings: Object.freeze(verdict.settings),
    warnings: [...remarks.warnings, ...verdict.warnings],
    notes: [...remarks.notes, ...verdict.notes],
  };
}

/** The keys that are set, by setting; unknown, refused and contradictory keys are problems. */
function collect(
  raw: Readonly<Record<string, unknown>>,
  namespace: string,
  problems: string[],
): ReadonlyMap<string, Given> {
  const given = new Map<string, Given>();
  for (const [key, value] of Object.entries(raw)) {
    const located = locateKey(key, namespace);
    if (located === undefined) {
      problems.push(unknownKey(key, namespace));
      continue;
    }
    const { target } = located;
    if (value === undefined || value === '') {
      continue;
    }
    if (target.status === 'refused') {
      problems.push(`${key} is not supported. ${target.reason} ${target.instead}`);
      continue;
    }
    const current: Given = { ...located, target, raw: value };
    const other = given.get(target.name);
    if (other === undefined) {
      given.set(target.name, current);
    } else if (!sameValue(other, current)) {
      problems.push(
        `${other.key} and ${key} are the same setting and have different values: keep ` +
          `${other.row.status === 'alias' ? key : other.key} and remove the other.`,
      );
    }
  }
  return given;
}

function unknownKey(key: string, namespace: string): string {
  const suggestion = suggestKey(key, namespace);
  return suggestion === undefined
    ? `${key} is not a setting: remove it, or see the page of settings for the right name.`
    : `${key} is not a setting. Did you mean ${suggestion}?`;
}

function sameValue(one: Given, other: Given): boolean {
  return isDeepStrictEqual(readValue(one.target, one.raw), readValue(other.target, other.raw));
}

/** Runs the schema. Settings with a wrong value are reported and get their default. */
function readAll(
  given: ReadonlyMap<string, Given>,
  problems: string[],
): { settings: TaskQueueSettings; failed: ReadonlySet<string> } {
  const schema = settingsSchema();
  const byCamel = new Map([...given.values()].map((each) => [camelName(each.target.name), each]));
  const input = Object.fromEntries([...byCamel].map(([camel, each]) => [camel, each.raw]));
  const failed = new Set<string>();
  const first = schema.safeParse(input);
  for (const issue of first.error?.issues ?? []) {
    const camel = String(issue.path[0]);
    const { key, raw, target } = byCamel.get(camel)!;
    problems.push(`${key}=${describeValue(raw, target.secret)} ${issue.message}`);
    failed.add(target.name);
    delete input[camel];
  }
  return { settings: schema.parse(input) as unknown as TaskQueueSettings, failed };
}

function speller(given: ReadonlyMap<string, Given>, namespace: string): (name: string) => string {
  const [any] = given.values();
  return (name) => {
    const written = given.get(name);
    if (written !== undefined) {
      return written.key;
    }
    return any === undefined
      ? `${envName(name, namespace)} (${camelName(name)} in code)`
      : spellName(name, any.style);
  };
}

function remarksOn(
  given: ReadonlyMap<string, Given>,
  settings: TaskQueueSettings,
): { warnings: string[]; notes: string[] } {
  const warnings: string[] = [];
  const notes: string[] = [];
  for (const each of given.values()) {
    const { target, raw, key } = each;
    const value = settings[camelName(target.name) as keyof TaskQueueSettings];
    const sentences = [aliasWarning(each), notBuiltWarning(each, value), target.warn?.(raw)].filter(
      (sentence) => sentence !== undefined,
    );
    if (sentences.length > 0) {
      warnings.push(sentences.join(' '));
    }
    const note = typeof target.note === 'function' ? target.note(value, raw) : target.note;
    if (note !== undefined) {
      notes.push(note.replace(target.name, key));
    }
  }
  return { warnings, notes };
}

function aliasWarning({ key, row, target, style }: Given): string | undefined {
  return row.status === 'alias'
    ? `${key} is another name of ${spellName(target.name, style)}: write that instead.`
    : undefined;
}

function notBuiltWarning({ key, target }: Given, value: unknown): string | undefined {
  return target.built || isDeepStrictEqual(value, target.default)
    ? undefined
    : `${key} has no effect in this version: it is a known setting, and is not built yet.`;
}
