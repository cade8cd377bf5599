/** Tokens of what `TaskQueueModule` provides; tests replace the clock and the broker by them. */
export const PARSED_SETTINGS = Symbol('nestjs-celery.parsed-settings');
export const CLOCK = Symbol('nestjs-celery.clock');
export const BROKER_OPTIONS = Symbol('nestjs-celery.broker-options');
export const BROKER = Symbol('nestjs-celery.broker');
export const RESULT_BACKEND = Symbol('nestjs-celery.result-backend');
