import type { TaskDefinition } from '../tasks/index.js';
import { parametersOf, type Parameter } from './parameter-list.js';

/** What a call may be refused for, at the call. */
export interface Arity {
  readonly parameters: readonly Parameter[];
  /** How many arguments at most; `Infinity` with a rest parameter. */
  readonly most: number;
}

/**
 * Counts the arguments of a call against the parameters of the method, in Celery's words, so that
 * a wrong call throws where it stands and not in the worker. `typing: false` turns it off.
 *
 * At run time TypeScript's optional parameters (`y?: number`) look like required ones. A call
 * through `of()` was counted by the compiler, so only a surplus is refused here. In a call by name
 * each parameter without a default value is required; write `y = undefined` for an optional one.
 * When the parameters cannot be told from the source of the method, nothing is refused.
 */
export class ArgumentCounter {
  private readonly arities = new WeakMap<TaskDefinition, { readonly arity: Arity | undefined }>();

  /**
   * @param isCompiled - The compiler has checked the call.
   * @throws TypeError - There are too few or too many arguments.
   */
  check(
    definition: TaskDefinition,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
    isCompiled: boolean,
  ): void {
    if (definition.options.typing === false) return;
    const arity = this.arityOf(definition);
    if (arity === undefined) return;
    const given = args.length + (Object.keys(kwargs).length > 0 ? 1 : 0);
    if (given > arity.most) {
      throw new TypeError(`${definition.method}() ${surplus(arity, given)}`);
    }
    const missing = arity.parameters.slice(given).filter(isRequired);
    if (missing.length > 0 && !isCompiled) {
      throw new TypeError(
        `${definition.method}() missing ${missing.length} required positional ` +
          `argument${missing.length === 1 ? '' : 's'}: ${list(missing.map(nameOf))}. ` +
          'A parameter that may be left out needs a default value, such as `= undefined`.',
      );
    }
  }

  private arityOf(definition: TaskDefinition): Arity | undefined {
    let entry = this.arities.get(definition);
    if (entry === undefined) {
      entry = { arity: read(definition) };
      this.arities.set(definition, entry);
    }
    return entry.arity;
  }
}

function read({ handler, injectedParameters, options }: TaskDefinition): Arity | undefined {
  const all = parametersOf(handler);
  if (all === undefined) return undefined;
  // The context and what parameter decorators fill take no argument of the call.
  const parameters = all.filter(
    (_, index) => !(options.bind && index === 0) && !injectedParameters.includes(index),
  );
  const isVariadic = parameters.some(({ isRest }) => isRest);
  return { parameters, most: isVariadic ? Number.POSITIVE_INFINITY : parameters.length };
}

function surplus({ most, parameters }: Arity, given: number): string {
  const least = parameters.filter(isRequired).length;
  const takes = least === most ? String(most) : `from ${least} to ${most}`;
  return (
    `takes ${takes} positional argument${most === 1 ? '' : 's'} but ${given} ` +
    `${given === 1 ? 'was' : 'were'} given`
  );
}

function isRequired({ hasDefault, isRest }: Parameter): boolean {
  return !hasDefault && !isRest;
}

function nameOf({ name }: Parameter): string {
  return name === undefined ? 'an object' : `'${name}'`;
}

/** `'x'`, `'x' and 'y'`, `'x', 'y', and 'z'`: as Python has it. */
function list(names: readonly string[]): string {
  if (names.length < 3) return names.join(' and ');
  return `${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`;
}
