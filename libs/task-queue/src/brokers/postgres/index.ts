export { PostgresBroker } from './postgres.broker.js';
