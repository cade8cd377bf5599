import { describe, expect, it } from '@jest/globals';
import { OperationalError, Reject, Retry } from '../../errors/task-queue.errors.js';
import type { ErrorClass } from '../../messages/index.js';
import { decodeThrown, encodeThrown, type EncodedThrown } from './thrown.codec.js';

class HttpError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}
class NotFound extends HttpError {}
class LostConnection extends OperationalError {}
class OutOfRange extends RangeError {}

function travel(thrown: unknown, known: ReadonlyMap<string, ErrorClass> = new Map()) {
  const sent = JSON.parse(JSON.stringify(encodeThrown(thrown))) as EncodedThrown;
  return decodeThrown(sent, known) as Error & Record<string, unknown>;
}

describe('what a task threw, sent to the worker', () => {
  it('is of the same class where that is known', () => {
    const known = new Map([['HttpError', HttpError]]);
    const error = travel(new HttpError('gone', 410), known);
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ message: 'gone', status: 410 });
    expect(error.stack).toContain('thrown.codec.spec');
  });

  it('is of the nearest known class otherwise, under its own name', () => {
    const notFound = travel(new NotFound('gone', 404), new Map([['HttpError', HttpError]]));
    expect(notFound).toBeInstanceOf(HttpError);
    expect(notFound).toMatchObject({ name: 'NotFound', status: 404 });
    const lost = travel(new LostConnection('down'));
    expect(lost).toBeInstanceOf(OperationalError);
    expect(lost.name).toBe('LostConnection');
    expect(travel(new OutOfRange('7'))).toBeInstanceOf(RangeError);
    expect(travel(new NotFound('gone', 404))).toMatchObject({ name: 'NotFound', status: 404 });
  });

  it('keeps every field of what a task tells the worker, and hides what was hidden', () => {
    const when = new Date(86_400_000);
    const changes = { args: [new Set([1]), 'x'.repeat(10_000)], headers: { password: 'kept' } };
    const cause = new NotFound('gone', 404);
    const retry = travel(new Retry('Retry in 3s', when, changes, { cause }));
    expect(retry).toBeInstanceOf(Retry);
    expect(retry).toMatchObject({ message: 'Retry in 3s', when, changes });
    expect(Object.keys(retry)).not.toContain('changes');
    expect(retry.cause).toMatchObject({ name: 'NotFound', message: 'gone' });
    const reject = travel(new Reject('not mine', true));
    expect(reject).toBeInstanceOf(Reject);
    expect(reject).toMatchObject({ reason: 'not mine', requeue: true });
  });

  it('leaves out a field that cannot be sent, and keeps errors in fields', () => {
    const odd = Object.assign(new Reject('x'), { call: () => 1, inner: new RangeError('far') });
    const back = travel(odd);
    expect(back).not.toHaveProperty('call');
    expect(back['inner']).toBeInstanceOf(RangeError);
  });

  it('may be no error at all', () => {
    expect(travel('text')).toMatchObject({ name: 'NonErrorThrown' });
    expect(travel(undefined)).toMatchObject({ name: 'NonErrorThrown' });
  });
});
