export { ThreadLeaseKeeper } from './thread.lease-keeper.js';
export type { ThreadLeaseKeeperOptions } from './thread.lease-keeper.js';
