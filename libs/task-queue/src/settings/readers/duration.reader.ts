const SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};
const PART = /(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*/gi;
const PARTS = /^(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+$/i;
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

/** What a duration looks like, for error messages. */
export const DURATION_FORM =
  "a number of seconds or a string such as '500ms', '90s', '15m', '2h' or '1d'";

/**
 * A duration in seconds, or `undefined` when `value` is not one.
 *
 * Takes a number of seconds (also as a string), `'500ms'`, `'90s'`, `'15m'`, `'2h'`, `'1d'`,
 * `'1w'`, several of them (`'1h 30m'`), and ISO 8601 (`'PT5M'`; no months or years).
 */
export function readDuration(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : undefined;
  }
  if (typeof value !== 'string') {
    return undefined;
  }
  const text = value.trim();
  if (/^[+-]?\d+(?:\.\d+)?$/.test(text)) {
    return Number(text);
  }
  if (PARTS.test(text)) {
    return sum(
      [...text.matchAll(PART)].map(
        ([, amount, unit]) => Number(amount) * SECONDS[unit!.toLowerCase()]!,
      ),
    );
  }
  const iso = ISO.exec(text);
  if (iso !== null && iso.slice(1).some((part) => part !== undefined)) {
    const units = ['w', 'd', 'h', 'm', 's'];
    return sum(iso.slice(1).map((part, index) => Number(part ?? 0) * SECONDS[units[index]!]!));
  }
  return undefined;
}

/** Rounds to the microsecond, so that '1.1s 2.2s' is 3.3. */
function sum(parts: readonly number[]): number {
  return Math.round(parts.reduce((total, part) => total + part, 0) * 1e6) / 1e6;
}
