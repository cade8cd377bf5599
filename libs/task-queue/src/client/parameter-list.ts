/** One parameter of a function, as its source has it. */
export interface Parameter {
  /** `undefined` for a destructured one. */
  readonly name: string | undefined;
  readonly hasDefault: boolean;
  readonly isRest: boolean;
}

/**
 * The parameters of a function, read from its source, or `undefined` whenever it is not certain
 * what they are: a built-in function, one that uses `arguments`, a default value with a regular
 * expression or a template in it.
 */
export function parametersOf(fn: (...args: any[]) => unknown): Parameter[] | undefined {
  const source = Function.prototype.toString.call(fn);
  if (source.includes('[native code]')) return undefined;
  const single = /^(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>/.exec(source);
  if (single) return [{ name: single[1], hasDefault: false, isRest: false }];
  const scanned = scanList(source, startOfList(source));
  if (scanned === undefined) return undefined;
  return /\barguments\b/.test(source.slice(scanned.end)) ? undefined : scanned.parameters;
}

/** After the `(` that opens the list; a name in brackets may have one of its own. */
function startOfList(source: string): number {
  const computed = /^(?:(?:async|static|get|set)\s+|\*\s*)*\[/.exec(source);
  if (!computed) {
    const start = source.indexOf('(') + 1;
    // A comment before the list may have a bracket of its own.
    return /\/[*/]/.test(source.slice(0, start)) ? 0 : start;
  }
  let depth = 0;
  for (let i = computed[0].length - 1; i < source.length; i += 1) {
    const char = source[i]!;
    if (char === '[') depth += 1;
    if (char === ']') depth -= 1;
    if (depth === 0) return source.indexOf('(', i) + 1;
    if (char === "'" || char === '"') i = endOfString(source, i);
  }
  return 0;
}

interface Scanned {
  readonly parameters: Parameter[];
  /** Where the list ends. */
  readonly end: number;
}

function scanList(source: string, start: number): Scanned | undefined {
  if (start === 0) return undefined;
  const parameters: Parameter[] = [];
  let depth = 0;
  let text = '';
  let hasDefault = false;
  const take = (): void => {
    const written = text.trim();
    if (written !== '') parameters.push(parameterOf(written, hasDefault));
    text = '';
    hasDefault = false;
  };
  for (let i = start; i < source.length; i += 1) {
    const char = source[i]!;
    const next = source[i + 1];
    if (char === '`') return undefined;
    if (char === '/') {
      const end = endOfComment(source, i);
      // A division, or a regular expression, which may hold any bracket.
      if (end === undefined) return undefined;
      i = end;
    } else if (char === "'" || char === '"') {
      i = endOfString(source, i);
    } else if ('([{'.includes(char)) {
      depth += 1;
      if (!hasDefault) text += char;
    } else if (char === ')' && depth === 0) {
      take();
      return { parameters, end: i };
    } else if (')]}'.includes(char)) {
      depth -= 1;
    } else if (depth === 0 && char === ',') {
      take();
    } else if (depth === 0 && char === '=' && next !== '>') {
      hasDefault = true;
    } else if (!hasDefault) {
      text += char;
    }
  }
  return undefined;
}

function parameterOf(written: string, hasDefault: boolean): Parameter {
  const isRest = written.startsWith('...');
  const name = isRest ? written.slice(3).trim() : written;
  return { name: /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : undefined, hasDefault, isRest };
}

function endOfString(source: string, start: number): number {
  let i = start + 1;
  while (i < source.length && source[i] !== source[start]) {
    i += source[i] === '\\' ? 2 : 1;
  }
  return i;
}

function endOfComment(source: string, start: number): number | undefined {
  const [terminator, length] = source[start + 1] === '*' ? ['*/', 1] : ['\n', 0];
  if (source[start + 1] !== '*' && source[start + 1] !== '/') return undefined;
  const end = source.indexOf(terminator, start + 2);
  return end < 0 ? undefined : end + length;
}
