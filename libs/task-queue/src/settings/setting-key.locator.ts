import { nearestName } from './nearest-name.util.js';
import type {
  RefusedSetting,
  SettingDefinition,
  ValueSetting,
} from './setting-definition.interface.js';
import { snakeName, spellName, splitKey, type NameStyle } from './setting-names.util.js';
import { aliases, findSetting, resolveAlias, valueSettings } from './settings.table.js';

/** A key as the user wrote it, found in the table. */
export interface LocatedKey {
  readonly key: string;
  readonly style: NameStyle;
  /** The row of the name that was written, which may be an alias. */
  readonly row: SettingDefinition;
  /** The setting that is meant. */
  readonly target: ValueSetting | RefusedSetting;
}

/**
 * Finds the setting that `key` names: in UPPER_SNAKE, lower_snake or camelCase, with or without
 * the prefix of the namespace. `undefined` when there is none.
 */
export function locateKey(key: string, namespace: string): LocatedKey | undefined {
  const { name, style } = splitKey(key, namespace);
  const row = findSetting(snakeName(key)) ?? findSetting(name);
  return row === undefined ? undefined : { key, style, row, target: resolveAlias(row) };
}

/** The known setting whose name is nearest to an unknown `key`, in the spelling of `key`. */
export function suggestKey(key: string, namespace: string): string | undefined {
  const { name, style } = splitKey(key, namespace);
  const targets = new Map(valueSettings().map((row) => [row.name, row.name]));
  for (const alias of aliases()) {
    if (resolveAlias(alias).status !== 'refused') {
      targets.set(alias.name, alias.target);
    }
  }
  const nearest = nearestName(name, targets.keys());
  return nearest === undefined ? undefined : spellName(targets.get(nearest)!, style);
}
