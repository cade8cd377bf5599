import { readContentTypes } from '../readers/content-type.reader.js';
import { readTimeZone } from '../readers/worker-settings.reader.js';
import type { ValueSetting } from '../setting-definition.interface.js';

const SCANNED =
  'has no effect here: every provider of the application is scanned for tasks, so a module is ' +
  'registered by importing it into the application module.';

/** Content, time and imports. */
export const GENERAL_SETTINGS: readonly ValueSetting[] = [
  {
    name: 'accept_content',
    group: 'General',
    status: 'honoured',
    built: true,
    type: 'list',
    default: ['json'],
    read: readContentTypes,
    doc: 'Content types that workers decode. Only json is safe enough to be offered.',
  },
  {
    name: 'result_accept_content',
    group: 'General',
    status: 'honoured',
    built: true,
    type: 'list',
    default: null,
    read: readContentTypes,
    doc: 'Content types that are decoded in results. null: those of accept_content.',
  },
  {
    name: 'enable_utc',
    group: 'General',
    status: 'honoured',
    built: true,
    type: 'boolean',
    default: true,
    doc: 'What an unset timezone means: UTC, or with false the zone of the machine. Messages always carry UTC.',
  },
  {
    name: 'timezone',
    group: 'General',
    status: 'honoured',
    built: true,
    type: 'string',
    default: null,
    read: readTimeZone,
    doc: 'IANA name of the time zone of schedules, such as Asia/Shanghai. null: see enable_utc.',
  },
  {
    name: 'imports',
    group: 'General',
    status: 'accepted',
    built: true,
    type: 'list',
    default: [],
    note: `imports ${SCANNED}`,
    doc: 'Modules to load when a worker starts. Nothing to do here: providers are scanned.',
  },
  {
    name: 'include',
    group: 'General',
    status: 'accepted',
    built: true,
    type: 'list',
    default: [],
    note: `include ${SCANNED}`,
    doc: 'Further modules to load when a worker starts. Nothing to do here: providers are scanned.',
  },
  {
    name: 'override_backends',
    group: 'General',
    status: 'honoured',
    built: false,
    type: 'dict',
    default: {},
    doc: 'Result backends of your own, by the scheme that selects them.',
  },
];
