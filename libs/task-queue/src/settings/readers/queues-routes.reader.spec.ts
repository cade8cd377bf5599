import { describe, expect, it } from '@jest/globals';
import { readQueueNames, readQueues } from './queues.reader.js';
import { readRoutes } from './routes.reader.js';

const HIGH_LOW = { value: [{ name: 'high' }, { name: 'low' }] };

describe('readQueues', () => {
  it.each<[unknown]>([
    ['high,low'],
    ['["high","low"]'],
    ['{"high":{},"low":null}'],
    [['high', 'low']],
    [[{ name: 'high' }, 'low']],
    [{ high: {}, low: {} }],
    [new Set(['high', 'low'])],
  ])('reads %j', (raw) => {
    expect(readQueues(raw)).toEqual(HIGH_LOW);
  });

  it.each<[unknown, RegExp]>([
    [[{ name: 'high', exchange: 'media' }], /'exchange', which belongs to AMQP/],
    [{ high: { routing_key: 'x' } }, /'routing_key', which belongs to AMQP/],
    [{ high: { colour: 'red' } }, /unknown key 'colour'/],
    [{ high: 5 }, /wrong value for the queue 'high'/],
    [['high', 'high'], /names the queue 'high' twice/],
    [[''], /not the name of a queue/],
    [['a:b'], /has a ':'/],
    [[{}], /not the name of a queue/],
    [[5], /an item that is no queue/],
    [5, /is not a list of queues/],
    ['{"high"', /is not a list of queues/],
  ])('refuses %j', (raw, problem) => {
    expect(readQueues(raw)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

describe('readQueueNames', () => {
  it('reads what -Q takes', () => {
    expect(readQueueNames('high,low')).toEqual({ value: ['high', 'low'] });
    expect(readQueueNames(5)).toEqual({ problem: expect.stringMatching(/not a list/) });
  });
});

describe('readRoutes', () => {
  const route = (name: string): string => name;

  it('puts exact names before the patterns of a table, and keeps the order otherwise', () => {
    const raw = { 'a.*': 'x', 'a.b': { queue: 'y', priority: 3 }, '*': 'z' };
    const rules = [
      { pattern: 'a.b', target: { queue: 'y', priority: 3 } },
      { pattern: 'a.*', target: { queue: 'x' } },
      { pattern: '*', target: { queue: 'z' } },
    ];
    expect(readRoutes(raw)).toEqual({ value: [rules] });
    expect(readRoutes(JSON.stringify(raw))).toEqual({ value: [rules] });
  });

  it('takes functions, tables, pairs and regular expressions', () => {
    const rule = { pattern: /^mail/, target: { queue: 'mail' } };
    expect(readRoutes(route)).toEqual({ value: [route] });
    expect(readRoutes([/^mail/, 'mail'])).toEqual({ value: [[rule]] });
    expect(readRoutes([[/^mail/, 'mail'], route, { a: 'b' }])).toEqual({
      value: [[rule], route, [{ pattern: 'a', target: { queue: 'b' } }]],
    });
    expect(readRoutes([[[/^mail/, 'mail']]])).toEqual({ value: [[rule]] });
  });

  it('takes a target without a queue', () => {
    expect(readRoutes({ a: { priority: 1 } })).toEqual({
      value: [[{ pattern: 'a', target: { priority: 1 } }]],
    });
  });

  it.each<[unknown, RegExp]>([
    [{ a: { exchange: 'media' } }, /'exchange' for a, which belongs to AMQP/],
    [{ a: { queue: 5 } }, /wrong target for a/],
    [{ a: 5 }, /wrong target for a/],
    [{ a: '' }, /wrong target for a/],
    [['feed.tasks.route_task'], /is not made of routes/],
    ['not json', /is not made of routes/],
    [5, /is not made of routes/],
    [{ '': 'q' }, /no task name/],
  ])('refuses %j', (raw, problem) => {
    expect(readRoutes(raw)).toEqual({ problem: expect.stringMatching(problem) });
  });
});
