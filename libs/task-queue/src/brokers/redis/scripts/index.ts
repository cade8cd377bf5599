export { BULL_KEYS } from './bull-scripts.js';
export { redisScripts } from './redis-scripts.js';
export type { ScriptName } from './redis-scripts.js';
export type { KeyLayout } from './script-constants.js';
