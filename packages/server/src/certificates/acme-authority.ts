import type { KeyPair } from './certificate-store.ts';

/** How an authority finds out whether a name leads here: by a request, or by a TLS connection (RFC 8555, RFC 8737). */
export type ChallengeKind = 'http-01' | 'tls-alpn-01';

/** Answers for an authority that looks whether a name leads here. Each is given until it is disposed of. */
export interface ChallengeAnswers {
  answerRequest(host: string, token: string, text: string): Disposable;
  answerHello(host: string, pair: KeyPair): Disposable;
}

/** Issues certificates. */
export interface AcmeAuthority {
  /** Rejects with an `AuthorityError`. */
  order(host: string, kind: ChallengeKind, signal: AbortSignal): Promise<KeyPair>;
}

interface AuthorityErrorOptions {
  /** It says nothing of the name: the authority is away, or answers with nonsense. */
  readonly isAuthoritys: boolean;
  /** What the authority asks for; 0 where it asks for nothing. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Why there is no certificate. The message is the authority's own, where it said something. */
export class AuthorityError extends Error {
  readonly isAuthoritys: boolean;
  readonly retryAfterMs: number;

  constructor(message: string, { isAuthoritys, retryAfterMs = 0, cause }: AuthorityErrorOptions) {
    super(message, { cause });
    this.name = 'AuthorityError';
    this.isAuthoritys = isAuthoritys;
    this.retryAfterMs = retryAfterMs;
  }
}
