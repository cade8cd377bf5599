export type {
  Broker,
  DeadLetter,
  Delivery,
  Fetched,
  Lease,
  LeaseKeeper,
  Outcome,
  OutgoingTask,
  QueueCounts,
  ResultListener,
  ResultRecord,
  ResultStore,
  TaskLocation,
  WorkSign,
} from './broker.port.js';
export type { BrokerLogger, BrokerOptions } from './broker-options.interface.js';
export { createBroker, openRedisResults } from './create-broker.js';
export type { OpenedResultStore } from './create-broker.js';
