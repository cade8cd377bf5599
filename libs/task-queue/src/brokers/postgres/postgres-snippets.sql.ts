/** The server's time, milliseconds since the epoch. */
export const NOW = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;

/** The path is pinned, so that the functions also work on a connection of the application. */
export const PLPGSQL = `LANGUAGE plpgsql SET search_path FROM CURRENT`;

/** Larger texts are announced without themselves: a notification carries under 8000 bytes. */
export const LARGEST_NOTICE_BYTES = 7000;
