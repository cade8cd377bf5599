import { decodeJson, encodeJson } from '../../messages/index.js';
import type { TaskRequest, TaskRequestInit } from '../../tasks/index.js';
import type { PoolJob } from './pool.port.js';

/** Makes a run ready to be sent to a child: everything that its `TaskRequest` is made of. */
export function encodeJob({ context, args, kwargs }: PoolJob): string {
  return encodeJson({ ...describe(context.request), args, kwargs });
}

/** What the child makes its `TaskRequest` of; types of the arguments are kept. */
export function decodeJob(text: string): TaskRequestInit {
  return decodeJson(text) as TaskRequestInit;
}

function describe(request: TaskRequest): Omit<TaskRequestInit, 'args' | 'kwargs'> {
  const { deliveryInfo, properties } = request;
  return {
    message: {
      id: request.id,
      task: request.task,
      headers: {
        lang: request.lang,
        shadow: request.shadow,
        eta: request.eta,
        expires: request.expires,
        group: request.group,
        group_index: request.groupIndex,
        retries: request.retries,
        timelimit: request.timelimit,
        root_id: request.rootId,
        parent_id: request.parentId,
        origin: request.origin,
        ignore_result: request.ignoreResult,
        replaced_task_nesting: request.replacedTaskNesting,
        stamped_headers: request.stampedHeaders,
        stamps: request.stamps,
        argsrepr: request.argsrepr,
        kwargsrepr: request.kwargsrepr,
        headers: request.headers,
        priority: deliveryInfo.priority,
      },
    },
    hostname: request.hostname,
    queue: deliveryInfo.routingKey,
    redelivered: deliveryInfo.redelivered,
    isEager: request.isEager,
    ignoreResult: request.ignoreResult,
    ...(properties.deliveryTag === null ? {} : { deliveryTag: properties.deliveryTag }),
  };
}
