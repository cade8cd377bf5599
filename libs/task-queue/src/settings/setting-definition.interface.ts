/** The heading under which a setting stands in the table and on the documentation page. */
export type SettingGroup =
  | 'General'
  | 'Tasks'
  | 'Routing and publishing'
  | 'Broker'
  | 'Results'
  | 'Worker'
  | 'Beat'
  | 'Events and control'
  | 'Security';

/** Where a setting comes from: Celery, the django-celery packages, or this library. */
export type SettingOrigin = 'celery' | 'django' | 'ours';

/** How a value is written and read. A `duration` is read into seconds. */
export type SettingType =
  'boolean' | 'integer' | 'number' | 'duration' | 'string' | 'enum' | 'list' | 'dict' | 'custom';

/** What reading a value gives: the value in its parsed form, or the end of a sentence. */
export type Reading = { readonly value: unknown } | { readonly problem: string };

/** Everything that is needed to read one value. */
export interface ValueSpec {
  readonly type: SettingType;
  /** The parsed form of the default. */
  readonly default: unknown;
  /** `null` is a value of its own. A setting whose default is `null` is nullable anyway. */
  readonly nullable?: boolean;
  /** Zero means the same as `null`, and is read as `null`. */
  readonly zeroIsNull?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** For `enum`: what may be written. */
  readonly choices?: readonly string[];
  /** For `enum`: other spellings and what they are read as. */
  readonly choiceAliases?: Readonly<Record<string, string>>;
  /** For `dict`: the keys that are known. Without it any key is taken. */
  readonly shape?: DictShape;
  /** Reads the value instead of the reader of the type. Never called with `null`. */
  readonly read?: (raw: unknown) => Reading;
}

/** A dict whose keys are known. */
export interface DictShape {
  /** Name of the TypeScript interface. */
  readonly typeName: string;
  /** What the dict is, as a full sentence. */
  readonly doc: string;
  readonly fields: readonly DictField[];
  /** Celery's keys that are accepted and do nothing here, each with the reason. */
  readonly ignored?: Readonly<Record<string, string>>;
}

/** One known key of a dict. A default of `undefined` leaves the key out. */
export interface DictField extends ValueSpec {
  /** lower_snake, as Celery writes it. Read into camelCase. */
  readonly name: string;
  readonly doc: string;
  readonly unit?: string;
}

interface SettingBase {
  /** Celery's name in lower_snake. */
  readonly name: string;
  readonly group: SettingGroup;
  /** Default `celery`. */
  readonly origin?: SettingOrigin;
}

/** A setting that takes a value. */
export interface ValueSetting extends SettingBase, ValueSpec {
  /** `accepted`: the value is checked, and has no effect here; `note` says why. */
  readonly status: 'honoured' | 'accepted';
  /** `false`: named and read, but nothing acts on it in this version. */
  readonly built: boolean;
  readonly doc: string;
  readonly unit?: string;
  /** Celery's default and why ours differs. */
  readonly celeryDefault?: string;
  /** The value is a secret and is never shown. */
  readonly secret?: boolean;
  /** The TypeScript type of the parsed value, where the type of setting does not give it. */
  readonly tsType?: string;
  /** The TypeScript type of what `forRoot` takes. Default: `tsType`. */
  readonly tsInput?: string;
  /** Something to tell at start about a value that was set, as a full sentence. */
  readonly note?: string | ((value: unknown, raw: unknown) => string | undefined);
  /** Something to warn of about a value that was set, as a full sentence. */
  readonly warn?: (raw: unknown) => string | undefined;
}

/** A Celery setting that makes no sense here: using it stops the start. */
export interface RefusedSetting extends SettingBase {
  readonly status: 'refused';
  /** Full sentence. */
  readonly reason: string;
  /** Full sentence that says what to use or do instead. */
  readonly instead: string;
}

/** Another name of a setting, accepted with one warning. */
export interface AliasSetting extends SettingBase {
  readonly status: 'alias';
  readonly target: string;
}

/** One row of the table of settings. */
export type SettingDefinition = ValueSetting | RefusedSetting | AliasSetting;
