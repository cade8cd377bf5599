import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} notes - Plain sentences: what was skipped, and why.
 */

/** A reason in the title of a skipped block, as `describeWithRedis` writes it. */
const REASON = /^(.*) \(skipped: (.*)\)$/;

/**
 * Jest's reporter of `npm test`: says nothing of what passes, shows every failure when it happens,
 * and writes a summary to the file that CELERY_TEST_SUMMARY names.
 */
export default class QuietReporter {
  #root;

  /** @param {import('@jest/reporters').Config.GlobalConfig} globalConfig */
  constructor(globalConfig) {
    this.#root = globalConfig.rootDir;
  }

  /**
   * @param {import('@jest/reporters').Test} test
   * @param {import('@jest/reporters').TestResult} result
   */
  onTestResult(test, result) {
    if (result.failureMessage) {
      process.stdout.write(`FAIL ${relative(this.#root, test.path)}\n${result.failureMessage}\n`);
    }
  }

  /**
   * @param {unknown} _contexts
   * @param {import('@jest/reporters').AggregatedResult} results
   */
  onRunComplete(_contexts, results) {
    const file = process.env['CELERY_TEST_SUMMARY'];
    if (file) {
      writeFileSync(file, JSON.stringify(this.#summarize(results)));
    }
  }

  /**
   * @param {import('@jest/reporters').AggregatedResult} results
   * @returns {Summary}
   */
  #summarize(results) {
    /** @type {Map<string, number>} */
    const reasons = new Map();
    for (const { testFilePath, testResults, skipped } of results.testResults) {
      const path = relative(this.#root, testFilePath);
      for (const { status, ancestorTitles } of testResults) {
        if (status === 'pending' || status === 'todo' || status === 'disabled') {
          const [, name, reason] =
            ancestorTitles.map((title) => REASON.exec(title)).find(Boolean) ?? [];
          const sentence = reason
            ? `Skipped '${name}' of ${path}: ${reason}`
            : `Skipped in ${path}: not selected, or marked as skipped in the code`;
          reasons.set(sentence, (reasons.get(sentence) ?? 0) + 1);
        }
      }
      if (skipped && testResults.length === 0) {
        reasons.set(`Skipped ${path}: not selected`, 0);
      }
    }
    return {
      passed: results.numPassedTests,
      // A file that does not even load is one failure.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
      notes: [...reasons].map(([sentence, count]) =>
        count > 0 ? `${sentence} (${count} ${count === 1 ? 'test' : 'tests'}).` : `${sentence}.`,
      ),
    };
  }
}
