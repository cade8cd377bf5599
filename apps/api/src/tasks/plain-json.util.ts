/**
 * A value as plain JSON can show it: numbers that JSON lacks and bigints become strings, maps and
 * sets become lists.
 */
export function toPlainJson(value: unknown): unknown {
  const text = JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === 'bigint') return String(member);
    if (typeof member === 'number' && !Number.isFinite(member)) return String(member);
    if (member instanceof Map || member instanceof Set) return [...member];
    return member;
  });
  return text === undefined ? null : (JSON.parse(text) as unknown);
}
