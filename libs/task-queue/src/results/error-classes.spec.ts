import { describe, expect, it } from '@jest/globals';

import { encodeError } from '../messages/index.js';
import { knownErrorClasses } from './error-classes.js';

class Plain extends Error {}
class Named extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', { value: 'Other' });
  }
}

describe('knownErrorClasses', () => {
  it('has each class under the name it is stored under', () => {
    const classes = knownErrorClasses([Plain], new Set([Named]));
    expect(classes.get(encodeError(new Plain()).exc_type)).toBe(Plain);
    expect(classes.get(encodeError(new Named()).exc_type)).toBe(Named);
    expect(classes.size).toBe(2);
  });

  it('lets the later source win', () => {
    const Twin = class extends Error {};
    Object.defineProperty(Twin, 'name', { value: 'Plain' });
    expect(knownErrorClasses([Plain], [Twin]).get('Plain')).toBe(Twin);
  });
});
