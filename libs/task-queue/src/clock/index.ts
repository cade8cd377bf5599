export type { Clock, Timer } from './clock.port.js';
export { ManualClock } from './manual.clock.js';
export { SystemClock } from './system.clock.js';
