import type {
  DictField,
  DictShape,
  ValueSetting,
  ValueSpec,
} from '../setting-definition.interface.js';
import { isNullable } from '../readers/value.reader.js';
import { camelName } from '../setting-names.util.js';
import { valueSettings } from '../settings.table.js';
import { defaultText } from './default-text.js';

const WIDTH = 100;

/** The source of `settings.types.ts`, made from the table. */
export function renderSettingsTypes(): string {
  const rows = valueSettings();
  const durations = rows.filter((row) => row.type === 'duration' && row.tsType === undefined);
  const inputs = rows.filter((row) => row.tsInput !== undefined);
  return [
    '// Made from the table of settings by `npm run docs`. Change the table, not this file.',
    "import type { QueueDefinition, TaskQueuesInput } from './readers/queues.reader.js';",
    "import type { TaskRouter, TaskRoutesInput } from './readers/routes.reader.js';",
    "import type { ErrorClass } from './readers/worker-settings.reader.js';",
    '',
    ...rows.flatMap((row) => (row.shape === undefined ? [] : shapeLines(row.shape))),
    ...comment('', [
      'All settings, read and with their defaults filled in. Durations are seconds.',
    ]),
    'export interface TaskQueueSettings {',
    ...rows.flatMap((row) => [
      ...comment('  ', docLines(row)),
      `  readonly ${camelName(row.name)}: ${typeOf(row)};`,
    ]),
    '}',
    '',
    'type DurationSetting =',
    ...union(durations.map((row) => camelName(row.name))),
    '',
    'interface InputForms {',
    ...inputs.map((row) => `  readonly ${camelName(row.name)}: ${orNull(row, row.tsInput!)};`),
    '}',
    '',
    ...comment('', [
      'What `TaskQueueModule.forRoot()` takes: every setting is optional, and a duration is a',
      "number of seconds or a string such as `'90s'`, `'15m'` or `'2h'`.",
    ]),
    'export type TaskQueueSettingsInput = {',
    '  readonly [K in keyof TaskQueueSettings]?: K extends keyof InputForms',
    '    ? InputForms[K]',
    '    : K extends DurationSetting',
    '      ? TaskQueueSettings[K] | string',
    '      : TaskQueueSettings[K];',
    '};',
    '',
  ].join('\n');
}

function shapeLines({ typeName, doc, fields }: DictShape): string[] {
  const lines = (suffix: string, memberOf: (field: DictField) => string): string[] => [
    `export interface ${typeName}${suffix} {`,
    ...fields.flatMap((field) => [
      ...comment('  ', [sentence(field.doc, field)]),
      `  readonly ${camelName(field.name)}${memberOf(field)};`,
    ]),
    '}',
    '',
  ];
  return [
    ...comment('', [`${doc} Read, with the defaults filled in.`]),
    ...lines('', (field) => `${field.default === undefined ? '?' : ''}: ${typeOf(field)}`),
    ...comment('', [`${doc} What may be written.`]),
    ...lines(
      'Input',
      (field) => `?: ${typeOf(field)}${field.type === 'duration' ? ' | string' : ''}`,
    ),
  ];
}

function docLines(row: ValueSetting): string[] {
  return [
    sentence(row.doc, row),
    ...(row.celeryDefault === undefined ? [] : [`Celery's default: ${row.celeryDefault}`]),
    ...(row.status === 'accepted' ? ['Accepted, and has no effect here.'] : []),
    ...(row.built ? [] : ['Not built yet: has no effect in this version.']),
    row.origin === 'ours' ? "Not one of Celery's settings." : `Celery's \`${row.name}\`.`,
  ];
}

function sentence(doc: string, { unit, ...spec }: ValueSpec & { readonly unit?: string }): string {
  const inUnit = unit === undefined ? '' : ` Unit: ${unit}.`;
  return spec.default === undefined
    ? `${doc}${inUnit}`
    : `${doc}${inUnit} Default: ${defaultText(spec.default)}.`;
}

function typeOf(spec: ValueSpec & { readonly tsType?: string }): string {
  return orNull(spec, spec.tsType ?? plainType(spec));
}

function orNull(spec: ValueSpec, type: string): string {
  return isNullable(spec) && type !== 'unknown' ? `${type} | null` : type;
}

function plainType({ type, choices }: ValueSpec): string {
  switch (type) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
    case 'duration':
      return 'number';
    case 'string':
      return 'string';
    case 'enum':
      return (choices ?? []).map((choice) => `'${choice}'`).join(' | ');
    case 'list':
      return 'readonly string[]';
    case 'dict':
      return 'Readonly<Record<string, unknown>>';
    default:
      return 'unknown';
  }
}

function union(names: readonly string[]): string[] {
  return names.map((name, index) => `  | '${name}'${index === names.length - 1 ? ';' : ''}`);
}

/** A doc comment, its paragraphs joined and wrapped. */
function comment(indent: string, sentences: readonly string[]): string[] {
  const text = sentences.join(' ').replaceAll('*/', '* /');
  const oneLine = `${indent}/** ${text} */`;
  return oneLine.length <= WIDTH
    ? [oneLine]
    : [
        `${indent}/**`,
        ...wrap(text, WIDTH - indent.length - 3).map((line) => `${indent} * ${line}`),
        `${indent} */`,
      ];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
