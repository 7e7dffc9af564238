// As node-version.js: every Node has to be able to parse this.

/**
 * How many threads libuv's pool is to have; undefined to leave that as it is. Half of them are for name lookups, of which one that
 * hangs takes a thread for half a minute. An idle thread costs next to nothing. On Windows libuv reads the variable as it was when
 * the process began (until libuv/libuv#4888): to set it there would only mislead what counts on that many.
 *
 * @param {string} platform
 * @param {string | undefined} given
 */
export function threadPoolSize(platform, given) {
  return given === undefined && platform !== 'win32' ? '16' : undefined;
}
