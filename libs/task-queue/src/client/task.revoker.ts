import type { Broker, RevokeAnswer } from '../brokers/broker.port.js';
import { encodeControl } from '../messages/index.js';
import type { ResultBackend, ResultRecorder, RevokeOptions } from '../results/index.js';

/** How long a revoke is remembered when results are kept for ever, milliseconds. */
const REMEMBERED = 24 * 60 * 60 * 1000;

export interface TaskRevokerDeps {
  readonly broker: Pick<Broker, 'announce' | 'broadcast' | 'revoke'>;
  readonly backend: ResultBackend;
  readonly recorder: ResultRecorder;
}

/** Revokes tasks: in the store, and by word to the worker that runs them. */
export class TaskRevoker {
  constructor(private readonly deps: TaskRevokerDeps) {}

  async revoke(id: string, { terminate = false }: RevokeOptions): Promise<RevokeAnswer> {
    const { backend, broker, recorder } = this.deps;
    const record = recorder.revoked(id, 'revoked');
    const keepFor = record?.ttl ?? REMEMBERED;
    const answer = await broker.revoke(id, backend.inBroker ? record : undefined, keepFor);
    if (answer === 'active') {
      await broker.broadcast(encodeControl({ method: 'revoke', id, terminate }));
    } else if (record && !backend.inBroker && (await backend.store(record))) {
      await broker.announce(id, record.payload);
    }
    return answer;
  }
}
