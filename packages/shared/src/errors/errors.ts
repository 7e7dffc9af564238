import { type ErrorCode, type ErrorKind, kindOf } from './codes.ts';
import type { Hint } from './hint.ts';

export { ERRORS, isErrorCode, kindOf } from './codes.ts';
export type { Disposition, ErrorCode, ErrorKind, Fault } from './codes.ts';

export interface TunnelErrorOptions {
  /** The cause, with names and values; appended to the summary. */
  readonly detail?: string;
  /** What may help, if more is known than the code implies. */
  readonly hint?: Hint;
  readonly cause?: unknown;
  /** When to come back, as requested by the side that failed the attempt, in ms. */
  readonly retryAfterMs?: number;
  /** Whether that side is the authenticated server. If not, `retryAfterMs` is capped by the backoff's cap. */
  readonly authenticated?: boolean;
}

/** A failure with a code from the registry. `message` is for people; decide by `code`, never by text. */
export class TunnelError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  /** What may help, as data; the program that shows it to a person supplies the words. */
  readonly hint: Hint;
  readonly retryAfterMs: number | undefined;
  readonly authenticated: boolean;

  constructor(code: ErrorCode, options: TunnelErrorOptions = {}) {
    const { summary } = kindOf(code);
    super(
      options.detail ? `${summary}: ${options.detail}` : summary,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'TunnelError';
    this.code = code;
    this.detail = options.detail ?? '';
    this.hint = options.hint ?? { id: code };
    this.retryAfterMs = options.retryAfterMs;
    this.authenticated = options.authenticated ?? false;
  }

  get kind(): ErrorKind {
    return kindOf(this.code);
  }
}
