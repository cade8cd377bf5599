import { fork } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Longer than any step takes: a task that got lost ends the run instead of hanging it. */
const DEADLINE = 180_000;

/** A process that answers calls; its file calls `serve`. */
export class Child {
  #name;
  #process;
  #lastId = 0;
  #ended = false;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #calls = new Map();

  /** @param {URL} file */
  constructor(file) {
    this.#name = basename(file.pathname);
    this.#process = fork(fileURLToPath(file), [], {
      // Standard output is for the table.
      stdio: ['ignore', 2, 2, 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    this.#process.on('message', (message) => this.#settle(/** @type {any} */ (message)));
    this.#process.on('error', () => this.#end());
    this.#process.on('exit', () => this.#end());
  }

  /**
   * A child that has loaded its file.
   * @param {URL} file
   */
  static async start(file) {
    const child = new Child(file);
    await child.#answerOf(0, 'start');
    return child;
  }

  /**
   * @param {string} command
   * @param {unknown} [argument] - Plain data.
   * @returns {Promise<any>}
   */
  call(command, argument) {
    this.#lastId += 1;
    const answer = this.#answerOf(this.#lastId, command);
    if (!this.#ended) {
      this.#process.send({ id: this.#lastId, command, argument });
    }
    return answer;
  }

  /** Closes what the child holds and ends it. */
  async close() {
    try {
      await this.call('close');
    } finally {
      await this.kill();
    }
  }

  /** Ends the child as it is. */
  async kill() {
    if (!this.#ended) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exit;
    }
  }

  /**
   * @param {number} id
   * @param {string} command
   * @returns {Promise<any>}
   */
  #answerOf(id, command) {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#endedError());
        return;
      }
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(
          new Error(
            `${this.#name} did not answer '${command}' within ${DEADLINE / 1000} s: a task was ` +
              'lost, or the machine is far too busy to measure anything.',
          ),
        );
      }, DEADLINE);
      this.#calls.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** @param {{ ready?: true, id?: number, value?: unknown, error?: string }} message */
  #settle({ id = 0, value, error }) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error === undefined) {
      call?.resolve(value);
    } else {
      call?.reject(new Error(`${this.#name} failed: ${error}`));
    }
  }

  #end() {
    this.#ended = true;
    for (const call of this.#calls.values()) {
      call.reject(this.#endedError());
    }
    this.#calls.clear();
  }

  #endedError() {
    return new Error(`${this.#name} ended before it had answered: see its output above.`);
  }
}
