/**
 * How the text of a message is kept in a jsonb column.
 *
 * A message is a JSON object and is stored as what it is, so that other tools can read it. jsonb
 * refuses the escapes of NUL and of lone surrogates, and it takes nothing but JSON. Texts that
 * it may refuse are stored as one JSON string under a key of their own: the escapes are then
 * escaped once more, and come back as they were.
 */
const TEXT_KEY = 'celery.text';
const WRAPPED = `{"${TEXT_KEY}": `;

const REFUSED_ESCAPE = /\\u(?:0000|d[89a-f])/i;
const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** The JSON text to store for `data`. */
export function encodeTaskData(data: string): string {
  const lone = LONE_SURROGATE.test(data);
  if (!lone && data.startsWith('{') && !REFUSED_ESCAPE.test(data)) {
    return data;
  }
  const text = lone
    ? data.replace(LONE_SURROGATES, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)
    : data;
  return JSON.stringify({ [TEXT_KEY]: text });
}

/** The text of a message, from the text form of the column. */
export function decodeTaskData(stored: string): string {
  if (!stored.startsWith(WRAPPED)) {
    return stored;
  }
  const text = (JSON.parse(stored) as Record<string, unknown>)[TEXT_KEY];
  return typeof text === 'string' ? text : stored;
}
