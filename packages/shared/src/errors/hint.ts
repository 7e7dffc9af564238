import type { ErrorCode } from './codes.ts';

/**
 * What may help after a failure, as data. Libraries know neither flags nor terminals: the program that shows a failure
 * to a person turns this into words. An error code as id stands for the usual advice for that error.
 */
export type Hint = { readonly id: ErrorCode } | SpecialHint;

export type HintId = Hint['id'];

/** More specific than the code, with the data needed for the wording. */
export type SpecialHint =
  // ── files ──
  | { readonly id: 'utf16' }
  | { readonly id: 'identity-damaged' }
  /** The line holds more than the key. */
  | { readonly id: 'identity-key-not-alone' }
  | { readonly id: 'secret-damaged' }
  | { readonly id: 'pin-damaged' }
  | { readonly id: 'keys-unreadable' }
  | { readonly id: 'disk-full' }
  | { readonly id: 'file-size-limit' }
  /** Something else exists at that path. */
  | { readonly id: 'path-taken' }
  | { readonly id: 'read-only' }
  | { readonly id: 'open-files-limit' }
  /** `path`: the lock file, to be removed if its holder is known to have ended. */
  | { readonly id: 'lock-holder-out-of-sight'; readonly path: string }

  // ── addresses ──
  | { readonly id: 'server-address-forms' }
  | { readonly id: 'proxy-address-forms' }
  | { readonly id: 'target-forms' }

  // ── steps of an attempt ──
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
  /** The server wants a secret, and the client has none. */
  | { readonly id: 'secret-not-given' }
  /**
   * `oddity`: a clause describing what is suspicious about the secret, such as `begins and ends with a quotation mark`.
   */
  | { readonly id: 'secret-suspicious'; readonly oddity: string }
  /** `publicKey`: this client's key, for the server's list. */
  | { readonly id: 'key-not-listed'; readonly publicKey: string }
  | { readonly id: 'key-and-secret-refused'; readonly publicKey: string; readonly oddity: string | undefined }
  /** `source`: where the expected key came from; undefined if unknown. */
  | { readonly id: 'server-key-not-as-given'; readonly source: string | undefined }

  // ── tunnels ──
  /** The client waits for a port that was not requested by number, so that the public address stays the same. */
  | { readonly id: 'port-awaited' };
