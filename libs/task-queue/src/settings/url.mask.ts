const MASK = '**';
const NEXT_URL = String.raw`(?=$|[\s;,]+[a-z][a-z0-9+.-]*://)`;
// Where the whole string is a URL, its password may hold spaces and quotes; in a text they end it.
const WHOLE = new RegExp(String.raw`([a-z][a-z0-9+.-]*://)([^]*?)${NEXT_URL}`, 'gi');
const IN_TEXT = /([a-z][a-z0-9+.-]*:\/\/)(.*?)(?=$|[\s'"]|[;,][a-z][a-z0-9+.-]*:\/\/)/gi;
const STARTS_AS_URL = /^\s*[a-z][a-z0-9+.-]*:\/\//i;
const SECRET_PARAMETER =
  /((?:^|[?&;\s])[^=&;\s?]*(?:pass|pwd|secret|token|api_?key|access_?key|private_?key|credential|signature)[^=&;\s]*=)[^&;\s'"]*/gi;

/**
 * `url` with its password and the secrets in its query replaced by `**`, as Celery shows it:
 * `redis://:hunter2@host/0` becomes `redis://:**@host/0`.
 *
 * Also takes several URLs in one string and text that contains URLs. Works on malformed URLs;
 * where it is not clear what the password is, more is hidden rather than less.
 */
export function maskUrl(url: string): string {
  const masked = url.includes('://')
    ? url.replace(
        STARTS_AS_URL.test(url) ? WHOLE : IN_TEXT,
        (_, scheme: string, rest: string) => scheme + maskUserInfo(rest),
      )
    : maskUserInfo(url);
  return masked.replace(SECRET_PARAMETER, `$1${MASK}`);
}

function maskUserInfo(rest: string): string {
  // A password may hold any unescaped character, so it ends at the last @.
  const end = rest.lastIndexOf('@');
  const colon = rest.indexOf(':');
  return end < 0 || colon < 0 || colon > end
    ? rest
    : `${rest.slice(0, colon)}:${MASK}${rest.slice(end)}`;
}
