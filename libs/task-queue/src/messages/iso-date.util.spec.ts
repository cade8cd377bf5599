import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parseIsoDate } from './iso-date.util.js';

describe('parseIsoDate', () => {
  it.each([
    ['2024-01-02T03:04:05.678+00:00', '2024-01-02T03:04:05.678Z'],
    ['2024-01-02T03:04:05Z', '2024-01-02T03:04:05.000Z'],
    ['2024-01-02 03:04', '2024-01-02T03:04:00.000Z'],
    ['2024-01-02', '2024-01-02T00:00:00.000Z'],
    ['2026-11-20T14:52:49.987954+08:00', '2026-11-20T06:52:49.987Z'],
    ['2024-01-01T00:30:00+05:53:28', '2023-12-31T18:36:32.000Z'],
    ['2024-01-01T00:00:00-0330', '2024-01-01T03:30:00.000Z'],
    ['2024-01-01T00:00:00+02', '2023-12-31T22:00:00.000Z'],
    ['2024-02-29T12:00:00', '2024-02-29T12:00:00.000Z'],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z'],
    ['+275760-09-13T00:00:00.000Z', '+275760-09-13T00:00:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(parseIsoDate(text)?.toISOString()).toBe(expected);
  });

  it.each([
    '',
    'soon',
    '2024',
    '2024-02-30',
    '2023-02-29T00:00:00Z',
    '2024-13-01',
    '2024-00-01',
    '2024-01-01T25:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T10:60:00Z',
    '2024-01-01T10:00:00+24:00',
    '2024-01-01T10:00:00Z; DROP',
    '+275760-09-14T00:00:00.000Z',
    '1705312800',
  ])('refuses %p', (text) => {
    expect(parseIsoDate(text)).toBeNull();
  });

  it('reads back what toISOString writes', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        expect(parseIsoDate(date.toISOString())?.getTime()).toBe(date.getTime());
      }),
    );
  });
});
