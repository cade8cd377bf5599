import { describe, expect, it } from '@jest/globals';
import { editDistance, nearestName } from './nearest-name.util.js';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'acb', 1],
    ['abc', 'abcd', 1],
    ['kitten', 'sitting', 3],
  ])('between %p and %p is %p, either way round', (a, b, expected) => {
    expect(editDistance(a, b)).toBe(expected);
    expect(editDistance(b, a)).toBe(expected);
  });
});

describe('nearestName', () => {
  const names = ['broker_url', 'task_routes', 'task_queues'];

  it('finds swapped, missing and wrong letters', () => {
    expect(nearestName('borker_url', names)).toBe('broker_url');
    expect(nearestName('task_rotes', names)).toBe('task_routes');
    expect(nearestName('task_qeueus', names)).toBe('task_queues');
  });

  it('finds nothing when everything is far away', () => {
    expect(nearestName('colour', names)).toBeUndefined();
    expect(nearestName('x', names)).toBeUndefined();
  });
});
