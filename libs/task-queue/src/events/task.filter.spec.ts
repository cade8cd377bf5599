import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask, TaskNamespace } from '../tasks/index.js';
import { assertTaskFilter, compileTaskFilter, type TaskFilter } from './task.filter.js';

@TaskNamespace('mail')
class Mail {
  @SharedTask()
  send(): void {}

  @SharedTask({ name: 'mail.special-drop' })
  drop(): void {}

  helper(): void {}
}

class NewsMail extends Mail {}

class Plain {
  run(): void {}
}

const NAMES = ['mail.send', 'mail.special-drop', 'mail.sends', 'demo.add', 'demoXadd'];

function matched(filter: TaskFilter): string[] {
  return NAMES.filter(compileTaskFilter(filter, '@OnTaskFailure on Audit.failed'));
}

describe('compileTaskFilter', () => {
  it.each<[TaskFilter, string[]]>([
    ['mail.send', ['mail.send']],
    ['demo.add', ['demo.add']],
    ['mail.*', ['mail.send', 'mail.special-drop', 'mail.sends']],
    ['mail.send?', ['mail.sends']],
    ['*', NAMES],
    ['demo[.X]add', ['demo.add', 'demoXadd']],
    ['demo[!X]add', ['demo.add']],
    ['de*.add', ['demo.add']],
    ['nobody', []],
    [Mail, ['mail.send', 'mail.special-drop']],
    [NewsMail, ['mail.send', 'mail.special-drop']],
    [[Mail, 'drop'], ['mail.special-drop']],
    [[Mail, 'send'], ['mail.send']],
  ])('matches %p', (filter, names) => {
    expect(matched(filter)).toEqual(names);
  });

  it('refuses a class and a method that are no tasks', () => {
    expect(() => matched(Plain)).toThrow(ImproperlyConfigured);
    expect(() => matched(Plain)).toThrow(
      '@OnTaskFailure on Audit.failed listens to Plain, which has no task: the tasks of Plain ' +
        'are: none.',
    );
    expect(() => matched([Mail, 'helper'])).toThrow(
      'listens to Mail.helper, which is no task: the tasks of Mail are: send, drop.',
    );
  });
});

describe('assertTaskFilter', () => {
  it.each(['mail.send', 'mail.*', Mail, [Mail, 'send']])('accepts %p', (filter) => {
    expect(() => assertTaskFilter(filter, 'here')).not.toThrow();
  });

  it.each([undefined, null, '', 3, {}, [], [Mail], [undefined, 'send'], [Mail, ''], ['a', 'b']])(
    'refuses %p',
    (filter) => {
      expect(() => assertTaskFilter(filter, '@OnTaskFailure on Audit.failed')).toThrow(
        ImproperlyConfigured,
      );
      expect(() => assertTaskFilter(filter, '@OnTaskFailure on Audit.failed')).toThrow(
        /The \{ task \} of @OnTaskFailure on Audit\.failed must be .* in a circle/,
      );
    },
  );
});
