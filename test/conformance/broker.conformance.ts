import { describe, jest } from '@jest/globals';

import { BrokerBench } from './broker/broker-bench.js';
import type { BrokerHarness } from './broker/broker-harness.interface.js';
import { describeExpiry } from './broker/expiry.conformance.js';
import { describeFinishing } from './broker/finishing.conformance.js';
import { describeLeases } from './broker/leases.conformance.js';
import { describeLooking } from './broker/looking.conformance.js';
import { describePublishing } from './broker/publishing.conformance.js';
import { describeResults } from './broker/results.conformance.js';
import { describeUnreachable } from './broker/unreachable.conformance.js';
import { describeWaiting } from './broker/waiting.conformance.js';

export type { BrokerHarness, OpenOptions } from './broker/broker-harness.interface.js';

/** What every driver of the Broker port does, whatever it stores its tasks in. */
export function describeBrokerConformance(name: string, harness: BrokerHarness): void {
  jest.setTimeout(20_000);
  describe(`${name} broker`, () => {
    const bench = new BrokerBench(harness);
    bench.install();
    describePublishing(bench);
    describeFinishing(bench);
    describeLeases(bench);
    describeWaiting(bench);
    describeResults(bench);
    describeExpiry(bench);
    describeLooking(bench);
    if (harness.openUnreachable) {
      describeUnreachable(harness.openUnreachable.bind(harness));
    }
  });
}
