/**
 * A time of the server on the clock of this process.
 *
 * @param serverNow - What the server's clock said at some moment between `asked` and `answered`
 * on the clock of this process. When that is possible with equal clocks, they count as equal.
 */
export function toLocalTime(
  time: number,
  serverNow: number,
  asked: number,
  answered: number,
): number {
  const ahead = Math.max(0, serverNow - answered) - Math.max(0, asked - serverNow);
  // Both clocks are cut to whole milliseconds.
  return Math.abs(ahead) <= 1 ? time : time - ahead;
}
