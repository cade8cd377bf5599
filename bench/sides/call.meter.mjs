/**
 * Times the calls of a task. The clock starts when the last task of the warm-up is entered and
 * stops when the last task of all is.
 */
export class CallMeter {
  #calls = 0;
  #first = 0;
  #last = 0;
  #start = 0;
  /** @type {(rate: number) => void} */
  #done = () => undefined;

  /**
   * @param {number} warmup - Tasks before the clock starts, at least 1.
   * @param {number} count - Tasks after that.
   * @returns {Promise<number>} Tasks per second.
   */
  rate(warmup, count) {
    this.#first = warmup;
    this.#last = warmup + count;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  /** A task was entered. */
  mark() {
    this.#calls += 1;
    if (this.#calls === this.#first) {
      this.#start = performance.now();
    } else if (this.#calls === this.#last) {
      const seconds = (performance.now() - this.#start) / 1000;
      this.#done((this.#last - this.#first) / seconds);
    }
  }
}
