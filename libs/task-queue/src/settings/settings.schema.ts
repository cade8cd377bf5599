import { z } from 'zod';
import { readValue } from './readers/value.reader.js';
import type { ValueSetting } from './setting-definition.interface.js';
import { camelName } from './setting-names.util.js';
import { valueSettings } from './settings.table.js';

/**
 * The zod schema of all settings, made from the table. It takes camelCase keys, reads strings
 * by the type of the setting, and fills in the defaults. The message of an issue continues a
 * sentence that begins with the name of the setting and its value.
 */
export function settingsSchema(): z.ZodObject<Record<string, z.ZodType>> {
  return z.object(
    Object.fromEntries(valueSettings().map((row) => [camelName(row.name), schemaOf(row)])),
  );
}

function schemaOf(row: ValueSetting): z.ZodType {
  return z
    .unknown()
    .transform((raw, context) => {
      const reading = readValue(row, raw);
      if ('value' in reading) {
        return reading.value;
      }
      context.addIssue({ code: 'custom', message: reading.problem });
      return z.NEVER;
    })
    .default(row.default);
}
