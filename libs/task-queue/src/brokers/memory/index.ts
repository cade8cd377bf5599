export { MemoryBroker, type MemoryBrokerOptions } from './memory.broker.js';
export { MemoryStore } from './memory.store.js';
