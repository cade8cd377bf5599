import { describe, jest } from '@jest/globals';

import { BrokerBench } from './broker/broker-bench.js';
import type { BrokerHarness } from './broker/broker-harness.interface.js';
import { describeBroadcasting } from './broker/broadcasting.conformance.js';
import { describeDeadLetters } from './broker/dead-letters.conformance.js';
import { describeExpiry } from './broker/expiry.conformance.js';
import { describeFinishing } from './broker/finishing.conformance.js';
import { describeLeases } from './broker/leases.conformance.js';
import { describeLooking } from './broker/looking.conformance.js';
import { describePriority } from './broker/priority.conformance.js';
import { describePublishing } from './broker/publishing.conformance.js';
import { describeResults } from './broker/results.conformance.js';
import { describeRetrying } from './broker/retrying.conformance.js';
import { describeRevokeMarks } from './broker/revoke-marks.conformance.js';
import { describeRevoking } from './broker/revoking.conformance.js';
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
    describePriority(bench);
    describeFinishing(bench);
    describeRetrying(bench);
    describeLeases(bench);
    describeWaiting(bench);
    describeResults(bench);
    describeExpiry(bench);
    describeRevoking(bench);
    describeRevokeMarks(bench);
    describeBroadcasting(bench);
    describeLooking(bench);
    describeDeadLetters(bench);
    if (harness.openUnreachable) {
      describeUnreachable(harness.openUnreachable.bind(harness));
    }
  });
}
