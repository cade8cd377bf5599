import { describe, expect, it } from '@jest/globals';

import { type Parameter, parametersOf } from './parameter-list.js';

/** The parameters in short: `x`, `y=`, `...z`, `{}` for a destructured one. */
function short(fn: unknown): string[] | undefined {
  return parametersOf(fn as () => unknown)?.map(
    ({ hasDefault, isRest, name = '{}' }: Parameter) =>
      `${isRest ? '...' : ''}${name}${hasDefault ? '=' : ''}`,
  );
}

/** Functions as plain JavaScript has them, out of reach of the compiler. */
function js(source: string): unknown {
  // eslint-disable-next-line typescript/no-implied-eval, no-new-func -- the source is what is tested
  return new Function(`return ${source}`)();
}

describe('parametersOf', () => {
  it.each([
    ['() => 1', []],
    ['x => x', ['x']],
    ['async x => x', ['x']],
    ['$a_1 => 1', ['$a_1']],
    ['(x, y) => 1', ['x', 'y']],
    ['function (x, y,) {}', ['x', 'y']],
    ['async function named(x) {}', ['x']],
    ['({ add(x, y) {} }).add', ['x', 'y']],
    ['({ async add(x) {} }).add', ['x']],
    ['({ *add(x) {} }).add', ['x']],
    ['({ async *add(x) {} }).add', ['x']],
    ["({ 'a(b, c': function (x) {} })['a(b, c']", ['x']],
    ["({ ['a(b, c'](x, y) {} })['a(b, c']", ['x', 'y']],
    ["({ async [['a(', ']'].join('')](x) {} })['a(]']", ['x']],
    ['(x, y = 1) => 1', ['x', 'y=']],
    ['(x = [1, 2], y = { a: 1, b: (2, 3) }) => 1', ['x=', 'y=']],
    ['(x = \'a, b)\', y = "c\\", (") => 1', ['x=', 'y=']],
    ['(x = (a, b) => a, y) => 1', ['x=', 'y']],
    ['(x = 1 === 2, y = a => b) => 1', ['x=', 'y=']],
    ['(...rest) => 1', ['...rest']],
    ['(x, ...[a, b]) => 1', ['x', '...{}']],
    ['({ a, b = 1 }, [c, d], e) => 1', ['{}', '{}', 'e']],
    ['({ a } = {}, e) => 1', ['{}=', 'e']],
    ['(x /* , z */, // ) a, b\n y) => 1', ['x', 'y']],
    ['(\u00fc, \u03c0) => 1', ['\u00fc', '\u03c0']],
  ])('%s', (source, expected) => {
    expect(short(js(source))).toEqual(expected);
  });

  it.each([
    'function (x) { return arguments.length }',
    '(x = /[)(,]/) => 1',
    '(x = 4 / 2) => 1',
    '(x = `,${1}`) => 1',
    'Math.max',
    '(function (x) {}).bind(null)',
    'class {}',
    'function f /* (a, b) */ (x) {}',
  ])('is not certain of %s', (source) => {
    expect(parametersOf(js(source) as () => unknown)).toBeUndefined();
  });
});
