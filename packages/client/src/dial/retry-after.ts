/**
 * The wait that an HTTP response asks for, in ms; `undefined` if there is none or it is invalid. A date is taken
 * relative to the response's own `Date` if it has one, so that a wrong local clock does no harm (RFC 9110, section
 * 10.2.3).
 */
export function parseRetryAfter(
  { retryAfter, date }: { readonly retryAfter: string | undefined; readonly date: string | undefined },
  wallClockMs: number,
): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  const until = Date.parse(retryAfter);
  const sentAt = Date.parse(date ?? '');
  const waitMs = until - (Number.isNaN(sentAt) ? wallClockMs : sentAt);
  return waitMs > 0 ? waitMs : undefined;
}
