/**
 * Lets the parent process call `commands`, one at a time or several, and ends with the parent.
 *
 * @param {Record<string, (argument: any) => unknown>} commands
 */
export function serve(commands) {
  const send = (/** @type {object} */ message) => process.send?.(message);

  /** @param {{ id: number, command: string, argument: unknown }} message */
  const answer = async ({ id, command, argument }) => {
    try {
      const handler = commands[command];
      if (handler === undefined) {
        throw new Error(`There is no command '${command}' here.`);
      }
      send({ id, value: await handler(argument) });
    } catch (error) {
      send({ id, error: error instanceof Error ? error.stack : String(error) });
    }
  };

  process.on('message', (message) => void answer(/** @type {any} */ (message)));
  process.on('disconnect', () => process.exit(0));
  send({ ready: true });
}
