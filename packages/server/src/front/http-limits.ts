/** A connection that does not send the head of a request within this is ended, in ms. Bodies may take as long as they like. */
export const HEAD_TIMEOUT_MS = 10_000;

/** The head of a request, in bytes; a longer one is answered with 431. */
export const MAX_HEAD_BYTES = 64 * 1024;

/** Headers of a request. Node would drop further ones without a word. */
export const HEADER_COUNT_LIMIT = 1000;

/** Visitors' connections without a request stay open this long, in ms. */
export const KEEP_ALIVE_MS = 75_000;
