import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured, NotRegistered } from '../errors/task-queue.errors.js';
import type { RegisteredTask } from './task-definition.interface.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import { TaskRegistry } from './task.registry.js';

function task(
  name: string,
  options: SharedTaskOptions = {},
  module = 'MailModule',
): RegisteredTask {
  const definition = {
    name,
    provider: Object,
    method: 'send',
    handler: () => undefined,
    options,
    injectedParameters: [],
    place: 'MailTasks.send',
  };
  const place = `MailTasks.send in ${module}`;
  return { name, options, place, definition, invoke: async () => undefined };
}

describe('TaskRegistry', () => {
  it('holds tasks by name', () => {
    const registry = new TaskRegistry();
    const send = task('mail.send');
    registry.register(send);
    registry.register(task('mail.drop'));
    expect(registry.get('mail.send')).toBe(send);
    expect(registry.has('mail.send')).toBe(true);
    expect(registry.has('toString')).toBe(false);
    expect(registry.names()).toEqual(['mail.drop', 'mail.send']);
  });

  it('does not share tasks with another registry', () => {
    new TaskRegistry().register(task('mail.send'));
    expect(new TaskRegistry().names()).toEqual([]);
  });

  it('refuses a second task of one name and shows both places', () => {
    const registry = new TaskRegistry();
    registry.register(task('mail.send'));
    const again = (): void => registry.register(task('mail.send', {}, 'OtherModule'));
    expect(again).toThrow(ImproperlyConfigured);
    expect(again).toThrow(
      "Two tasks have the name 'mail.send': MailTasks.send in MailModule and " +
        'MailTasks.send in OtherModule.',
    );
  });

  it('throws NotRegistered with the nearest name', () => {
    const registry = new TaskRegistry();
    registry.register(task('mail.send'));
    expect(() => registry.get('mail.sent')).toThrow(NotRegistered);
    expect(() => registry.get('mail.sent')).toThrow("Did you mean 'mail.send'?");
    expect(() => registry.get('something.else')).toThrow('Add its class to the providers');
  });

  it('collects the classes of `throws`, without names of two classes', () => {
    class Refused extends Error {}
    class Bounced extends Error {}
    class OtherBounced extends Error {}
    Object.defineProperty(OtherBounced, 'name', { value: 'Bounced' });
    const registry = new TaskRegistry();
    registry.register(task('a', { throws: [Refused, Bounced] }));
    registry.register(task('b', { throws: [Refused, OtherBounced] }));
    registry.register(task('c'));
    expect([...registry.errorClasses()]).toEqual([['Refused', Refused]]);
  });
});
