const ISO_DATE_TIME =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d(?::\d\d(?:\.\d+)?)?)?)?)?$/i;

/**
 * Reads an ISO-8601 date or date-time strictly: `2024-01-02`, `2024-01-02T03:04:05.678901+08:00`.
 *
 * A time without an offset is UTC, as a Celery worker reads it. Digits below a millisecond are
 * cut off. A date that does not exist (30 February, 25 o'clock) is refused.
 *
 * @returns The point in time, or `null` when `text` is not such a date.
 */
export function parseIsoDate(text: string): Date | null {
  const match = ISO_DATE_TIME.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), 0);
  const exists =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    date.getUTCHours() === Number(hour) &&
    date.getUTCMinutes() === Number(minute) &&
    date.getUTCSeconds() === Number(second);
  const offset = offsetMillis(zone);
  if (!exists || offset === null) return null;
  const millis = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const shifted = new Date(date.getTime() + millis - offset);
  return Number.isNaN(shifted.getTime()) ? null : shifted;
}

/** `+05:30` as milliseconds; `null` when it is more than a day, which no zone is. */
function offsetMillis(zone: string | undefined): number | null {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0;
  const [hours = 0, minutes = 0, seconds = 0] = (zone.slice(1).match(/\d\d/g) ?? []).map(Number);
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const millis = ((hours * 60 + minutes) * 60 + seconds) * 1_000;
  return zone.startsWith('-') ? -millis : millis;
}
