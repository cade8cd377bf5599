import { isNullable, oneOf, range } from '../readers/value.reader.js';
import type {
  DictField,
  RefusedSetting,
  SettingGroup,
  ValueSetting,
} from '../setting-definition.interface.js';
import { camelName, envName } from '../setting-names.util.js';
import { aliases, refusedSettings, resolveAlias, valueSettings } from '../settings.table.js';
import { defaultText } from './default-text.js';

const GROUPS: readonly SettingGroup[] = [
  'General',
  'Tasks',
  'Routing and publishing',
  'Broker',
  'Results',
  'Worker',
  'Beat',
  'Events and control',
  'Security',
];

const INTRODUCTION = `<!-- Made from the table of settings by \`npm run docs\`. Change the table, not this file. -->

# Settings

The settings keep Celery's names. Each has three spellings, and each is understood everywhere:
\`CELERY_TASK_TIME_LIMIT\` (environment, \`.env\` and \`registerAs('CELERY', ...)\`),
\`task_time_limit\` (Celery's own) and \`taskTimeLimit\` (\`TaskQueueModule.forRoot()\`).

- \`TaskQueueModule.forRootAsync()\` reads \`ConfigService\`: first the object under \`CELERY\`, then
  each \`CELERY_<NAME>\` key, which wins. A setting that is empty counts as not set.
- Strings are read by the type of the setting. Booleans: \`true\`/\`false\`, \`1\`/\`0\`,
  \`yes\`/\`no\`, \`on\`/\`off\`. Durations: a number of seconds, or \`500ms\`, \`90s\`, \`15m\`, \`2h\`,
  \`1d\`, \`1h 30m\`. Lists: items separated by commas, or JSON. Dicts: JSON. Where \`null\` is
  allowed, \`null\` and \`none\` are read as such.
- An unknown \`CELERY_*\` key stops the start and names the nearest setting. So does a value of the
  wrong type, and a setting of Celery's that makes no sense here. All problems are listed at once.
  \`CELERY_TEST_*\` is left to tests.

What the status says:

- **honoured**: it works.
- **honoured, not built yet**: the name and the value are checked, nothing acts on it in this
  version, and the start warns when it is set to something other than its default.
- **accepted**: checked, and without effect, because there is nothing to do; a note says why.
- **refused**: stops the start, with the reason and what to use instead.
- **ours**: not one of Celery's settings.
`;

/** The documentation page of all settings, made from the table. */
export function renderSettingsPage(): string {
  return [INTRODUCTION, ...GROUPS.map(groupSection), aliasSection()].join('\n');
}

function groupSection(group: SettingGroup): string {
  const values = valueSettings().filter((row) => row.group === group);
  const refused = refusedSettings().filter((row) => row.group === group);
  return [
    `## ${group}`,
    '',
    ...values.map(valueSection),
    ...(refused.length === 0 ? [] : [refusedTable(group, refused)]),
  ].join('\n');
}

function valueSection(row: ValueSetting): string {
  const ours = row.origin === 'ours' ? ' (ours)' : '';
  const facts = [
    `In code: \`${camelName(row.name)}\``,
    `Type: ${typeText(row)}`,
    `Default: \`${defaultText(row.default)}\`${row.unit === undefined ? '' : ` (${row.unit})`}`,
    ...(row.celeryDefault === undefined ? [] : [`Celery's default: ${row.celeryDefault}`]),
    `Status: ${row.status}${row.built ? '' : ', not built yet'}${ours}`,
  ];
  return [
    `### ${envName(row.name)}`,
    '',
    row.doc,
    '',
    ...facts.map((fact) => `- ${fact}`),
    ...(row.shape === undefined ? [] : ['- Keys:', ...row.shape.fields.map(fieldLine)]),
    ...Object.entries(row.shape?.ignored ?? {}).map(
      ([name, reason]) => `  - \`${name}\`: accepted, has no effect: ${reason}.`,
    ),
    '',
  ].join('\n');
}

function fieldLine({ name, doc, unit, default: value, type }: DictField): string {
  const written = value === undefined ? '' : ` Default: \`${defaultText(value)}\`.`;
  return `  - \`${name}\` (${type}${unit === undefined ? '' : `, ${unit}`}): ${doc}${written}`;
}

function typeText(row: ValueSetting): string {
  const code = row.tsInput ?? row.tsType;
  const nullable = isNullable(row) && code !== 'unknown' ? ', or null' : '';
  const kind = row.type === 'integer' ? 'whole number' : row.type;
  const written =
    code === undefined ? kind + range(row) : `\`${code.replaceAll(' | ', '` or `')}\``;
  return `${row.choices === undefined ? written : oneOf(row.choices)}${nullable}`;
}

function refusedTable(group: SettingGroup, rows: readonly RefusedSetting[]): string {
  return [
    `### Refused: ${group.toLowerCase()}`,
    '',
    '| Setting | In code | Why it is refused | Instead |',
    '|---|---|---|---|',
    ...rows.map(
      ({ name, reason, instead }) =>
        `| \`${envName(name)}\` | \`${camelName(name)}\` | ${reason} | ${instead} |`,
    ),
    '',
  ].join('\n');
}

function aliasSection(): string {
  return [
    '## Other names',
    '',
    'Old names (`celery upgrade settings`) and near misses. Each is accepted with one warning.',
    '',
    '| Name | Stands for |',
    '|---|---|',
    ...aliases().map((row) => {
      const refused = resolveAlias(row).status === 'refused' ? ' (refused)' : '';
      return `| \`${envName(row.name)}\` | \`${envName(row.target)}\`${refused} |`;
    }),
    '',
  ].join('\n');
}
