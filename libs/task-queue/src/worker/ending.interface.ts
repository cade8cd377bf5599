import type { Delivery, Outcome, OutgoingTask } from '../brokers/broker.port.js';

/** What is to become of a delivery; the pump carries it out. */
export type Ending =
  | {
      /** Acknowledge, with the outcome. */
      readonly kind: 'finish';
      readonly outcome: Outcome;
      /** Called when the outcome is recorded: log lines, hooks. Must not throw. */
      readonly recorded?: () => void;
    }
  | {
      /** Put it back under a new message, with a state that is not final. */
      readonly kind: 'retry';
      readonly task: OutgoingTask;
      readonly outcome: Pick<Outcome, 'record' | 'announce'>;
      /** As of `finish`. */
      readonly recorded?: () => void;
    }
  | {
      /** Put it back, to be fetched after `delay` milliseconds. */
      readonly kind: 'postpone';
      readonly delay: number;
    }
  | {
      /** Put it back to the front of its queue. */
      readonly kind: 'release';
    };

/** Makes something of a delivery; never rejects. */
export type DeliveryHandler = (delivery: Delivery) => Promise<Ending>;
