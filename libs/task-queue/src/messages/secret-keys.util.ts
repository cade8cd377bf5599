/** Whether the value under a key is a secret that must not be shown. */
export type SecretMatcher = (key: string) => boolean;

/** What is shown instead of a secret. */
export const REDACTED = '********';

/** The keys whose values are never shown in logs, events and stored representations. */
export const DEFAULT_SECRET_KEYS: readonly string[] = [
  'password',
  'passwd',
  'secret',
  'token',
  'api_key',
  'apikey',
  'authorization',
  'cookie',
  'private_key',
  'credit_card',
];

/**
 * Makes a matcher of a list of words. A key is a secret when it contains one of them; case,
 * hyphens, spaces and underscores do not count: `api_key` finds `X-Api-Key` and `userApiKey`.
 *
 * @param words - Default `DEFAULT_SECRET_KEYS`. An empty list hides nothing.
 */
export function secretMatcher(words: readonly string[] = DEFAULT_SECRET_KEYS): SecretMatcher {
  const patterns = words.map(looseCopy).filter((pattern) => pattern !== '');
  if (patterns.length === 0) return () => false;
  const pattern = new RegExp(patterns.join('|'), 'iu');
  return (key) => pattern.test(key);
}

/** The matcher of `DEFAULT_SECRET_KEYS`. */
export const isSecretKey: SecretMatcher = secretMatcher();

// What follows the colon is a password unless it is a port. The bounds keep it linear.
const URL_PASSWORD = /(:\/\/[^\s:/?#@'"]{0,256}:)(?!\d{1,5}(?:[/?#]|$))[^\s'"]{1,512}@/g;

/** How much of a text around a cut may be needed to see that a password begins there. */
export const MASK_WINDOW = 1_024;

/** Hides the password in every `scheme://user:password@host` of a text. */
export function maskUrlPasswords(text: string): string {
  return text.includes('://') ? text.replace(URL_PASSWORD, `$1${REDACTED}@`) : text;
}

/** A pattern that finds a word whatever separates its letters. */
function looseCopy(word: string): string {
  const letters = Array.from(word.replace(/[-_\s]/g, ''));
  return letters.map((letter) => letter.replace(/[$()*+.?[\\\]^{|}/]/, '\\$&')).join('[-_\\s]*');
}
