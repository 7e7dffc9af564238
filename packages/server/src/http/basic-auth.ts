import { createHash } from 'node:crypto';
import { constantTimeEqual } from '@tunnel/shared/node';
import type { HttpTerms } from './messages/terms.ts';

/** Wrong credentials that an address may give within the window; then it has to wait until the window is over. */
const FAILURE_LIMIT = 10;
const WINDOW_MS = 60_000;

/** Longer credentials are wrong, in bytes: each of the tunnel's is a hash over them. */
const CREDENTIALS_LIMIT = 4096;

/** Addresses that are remembered; beyond it the oldest is forgotten. */
const GUESSER_LIMIT = 8192;

export type AuthVerdict =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  /** Too many wrong ones: not looked at. `waitS` in seconds. */
  | { readonly kind: 'blocked'; readonly waitS: number };

/** Whether credentials fit, and how often an address may guess. No clock: `now` is monotonic ms. */
export class BasicAuth {
  readonly #failures = new Map<string, { count: number; readonly since: number }>();

  /**
   * `authorization`: the header, if there is one. Without credentials the verdict is `wrong`, and does not count: browsers ask
   * like that first. `source`: whom guesses count for; `host`: whose password it is.
   */
  check(
    authorization: string | undefined,
    credentials: NonNullable<HttpTerms['credentials']>,
    source: string,
    host: string,
    now: number,
  ): AuthVerdict {
    const guesser = `${source} ${host}`;
    const failures = this.#failuresOf(guesser, now);
    if (failures && failures.count >= FAILURE_LIMIT) {
      return { kind: 'blocked', waitS: Math.ceil((failures.since + WINDOW_MS - now) / 1000) };
    }
    const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(authorization ?? '') ?? [];
    if (encoded === undefined) return { kind: 'wrong' };
    const given = Buffer.from(encoded, 'base64');
    let isRight = false;
    // All of them, so that the time does not tell which one it was.
    for (const { salt, digest } of given.length <= CREDENTIALS_LIMIT ? credentials : []) {
      const hash = createHash('sha256').update(salt).update(given).digest();
      if (constantTimeEqual(hash, digest)) isRight = true;
    }
    if (isRight) return { kind: 'right' };
    if (failures) failures.count += 1;
    else this.#remember(guesser, now);
    return { kind: 'wrong' };
  }

  #failuresOf(guesser: string, now: number): { count: number; readonly since: number } | undefined {
    const failures = this.#failures.get(guesser);
    if (failures && now - failures.since >= WINDOW_MS) {
      this.#failures.delete(guesser);
      return undefined;
    }
    return failures;
  }

  #remember(guesser: string, now: number): void {
    if (this.#failures.size >= GUESSER_LIMIT) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    this.#failures.set(guesser, { count: 1, since: now });
  }
}
