import type { ErrorClass } from '../messages/index.js';

/**
 * The application's classes that `get()` may rebuild, by the name they are stored under. The
 * built-ins of JavaScript and the errors of this library need not be listed: they are always
 * known.
 *
 * @param sources - `registry.errorClasses()`, the setting `result_known_errors`, ...; where two
 * classes have one name, the later source wins.
 */
export function knownErrorClasses(
  ...sources: readonly Iterable<ErrorClass>[]
): ReadonlyMap<string, ErrorClass> {
  const classes = new Map<string, ErrorClass>();
  for (const source of sources) {
    for (const errorClass of source) {
      classes.set(storedName(errorClass), errorClass);
    }
  }
  return classes;
}

/** The name that the class gives its errors, else its own: as the error codec has it. */
function storedName(errorClass: ErrorClass): string {
  const prototype = errorClass.prototype as Error;
  return Object.hasOwn(prototype, 'name') && typeof prototype.name === 'string'
    ? prototype.name
    : errorClass.name;
}
