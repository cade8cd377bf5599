import { SetMetadata } from '@nestjs/common';
import { TASK_NAMESPACE_METADATA } from './task.constants.js';
import { assertNamespace } from './task-options.validator.js';

/**
 * Sets the first part of the names of a class's tasks: `@TaskNamespace('demoapp.tasks')` on the
 * class makes `demoapp.tasks.add` of its method `add`. Subclasses inherit it unless they have
 * their own. In Celery this part is the path of the module.
 *
 * Default, without the decorator: the name of the class. Give a namespace when the code is
 * minified, which changes the names of classes.
 *
 * @param namespace - 1 to 200 letters, digits, `_`, `.`, `-`, `$`.
 * @throws ImproperlyConfigured at decoration, when the namespace is not of that form.
 */
export function TaskNamespace(namespace: string): ClassDecorator {
  return (target) => {
    assertNamespace(namespace, target.name || 'an unnamed class');
    SetMetadata(TASK_NAMESPACE_METADATA, namespace)(target);
  };
}
