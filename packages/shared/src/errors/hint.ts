import type { ErrorCode } from './codes.ts';

/**
 * What may help after a failure, as data. Libraries know neither flags nor terminals: the program that shows a failure to a
 * person turns this into words. A code stands for what usually helps with it.
 */
export type Hint = { readonly id: ErrorCode } | SpecialHint;

export type HintId = Hint['id'];

/** More than the code says, with the data that the words need. */
export type SpecialHint =
  // ── files ──
  | { readonly id: 'utf16' }
  | { readonly id: 'identity-damaged' }
  /** There is more on the line than the key. */
  | { readonly id: 'identity-key-not-alone' }
  | { readonly id: 'secret-damaged' }
  | { readonly id: 'pin-damaged' }
  | { readonly id: 'keys-unreadable' }
  | { readonly id: 'disk-full' }
  | { readonly id: 'file-size-limit' }
  /** Something else has the place of a file or directory. */
  | { readonly id: 'path-taken' }
  | { readonly id: 'read-only' }
  | { readonly id: 'open-files-limit' }
  /** `path`: of the lock, to be removed if its holder is known to have ended. */
  | { readonly id: 'lock-holder-out-of-sight'; readonly path: string }

  // ── addresses ──
  | { readonly id: 'server-address-forms' }
  | { readonly id: 'proxy-address-forms' }
  | { readonly id: 'target-forms' }

  // ── the steps of an attempt ──
  | { readonly id: 'name-server-silent' }
  | { readonly id: 'outgoing-firewall' }
  | { readonly id: 'certificate-issuer-unknown' }
  | { readonly id: 'certificate-self-signed' }
  | { readonly id: 'certificate-expired' }
  | { readonly id: 'certificate-for-another-name' }
  | { readonly id: 'tls-not-spoken' }
  | { readonly id: 'redirected' }
  | { readonly id: 'access-denied' }
  | { readonly id: 'path-unknown' }
  | { readonly id: 'server-behind-proxy-down' }
  | { readonly id: 'proxy-credentials-wrong' }
  | { readonly id: 'proxy-scheme-unsupported' }

  // ── identity ──
  /** `oddity`: a clause that says what is suspicious about the secret, as in `begins and ends with a quotation mark`. */
  | { readonly id: 'secret-suspicious'; readonly oddity: string }
  /** `publicKey`: this client's, for the server's list. */
  | { readonly id: 'key-not-listed'; readonly publicKey: string }
  | { readonly id: 'key-and-secret-refused'; readonly publicKey: string; readonly oddity: string | undefined }
  /** `source`: what gave the expected key; undefined if nobody said. */
  | { readonly id: 'server-key-not-as-given'; readonly source: string | undefined }

  // ── tunnels ──
  /** A port that nobody asked for by number is waited for, so that the public address stays the same. */
  | { readonly id: 'port-awaited' };
