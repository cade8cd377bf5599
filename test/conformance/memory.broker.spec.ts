import { MemoryBroker, MemoryStore } from '../../libs/task-queue/src/brokers/memory/index.js';
import { ManualClock } from '../../libs/task-queue/src/clock/index.js';
import { describeBrokerConformance } from './broker.conformance.js';

const clock = new ManualClock();
let stores = new Map<string, MemoryStore>();

describeBrokerConformance('memory', {
  open({ leaseDurationMs = 30_000, group = '' } = {}) {
    const store = stores.get(group) ?? new MemoryStore();
    stores.set(group, store);
    return Promise.resolve(new MemoryBroker({ clock, leaseDuration: leaseDurationMs, store }));
  },
  reset() {
    stores = new Map();
    return Promise.resolve();
  },
  elapse: (ms) => clock.advanceAsync(ms),
  now: () => clock.now(),
  close: () => Promise.resolve(),
});
