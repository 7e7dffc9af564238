import type { ErrorCode } from '@tunnel/shared';

/** The events of a server, by name. `clientKey` is the client's public key, base64url. */
export interface ServerEvents {
  readonly listening: {
    readonly port: number;
    readonly serverKey: string;
    /** The address for clients: `ws://host:port` or `wss://host:port`. */
    readonly url: string;
  };
  /** The certificate files were replaced, and new links use them; `validUntil` in ISO 8601. */
  readonly 'certificate-replaced': { readonly certFile: string; readonly validUntil: string };
  /** An authority issued a certificate for a name, and it is in use; `validUntil` in ISO 8601. */
  readonly 'certificate-issued': { readonly host: string; readonly validUntil: string; readonly isRenewal: boolean };
  /** A new session began. */
  readonly 'client-connected': SessionInfo &
    LinkInfo & {
      /** The comment on the key in the authorized keys; missing if it is not listed. */
      readonly comment?: string;
      readonly agent: string;
    };
  /** A session lost its link and is waiting for the next one, or ended (`ended`). */
  readonly 'client-disconnected': SessionInfo & {
    readonly code: ErrorCode;
    readonly reason: string;
    readonly ended: boolean;
  };
  /** A session continues on a new link. */
  readonly 'client-resumed': SessionInfo & LinkInfo;
  /** A session had no link for the whole resume window. */
  readonly 'client-expired': SessionInfo & { readonly lostStreams: number };
  /** A link was refused or failed before it was accepted. */
  readonly 'client-refused': {
    readonly code: ErrorCode;
    readonly reason: string;
    readonly address: string;
    /** Missing if the handshake did not get that far. It may be unproven. */
    readonly clientKey?: string;
    /** The session that the client wanted to resume; undefined if it proved nothing or wanted a new one. */
    readonly sessionId?: string | undefined;
  };
  /** The authorized keys were reread. */
  readonly 'keys-changed': { readonly count: number };
  readonly 'tunnel-opened': SessionInfo & PublicPlace & { readonly name: string };
  readonly 'tunnel-closed': SessionInfo & PublicPlace & { readonly code: ErrorCode };
  readonly 'visitor-refused': SessionInfo & PublicPlace & { readonly code: ErrorCode };
  /** Something an operator should know about that does not end the server. */
  readonly warning: { readonly code: ErrorCode; readonly reason: string };
  readonly stopped: Record<string, never>;
}

export interface LinkInfo {
  /** The client's address and port. */
  readonly address: string;
  /** The duration of the handshake, from the upgrade request to the client's last message, in ms. */
  readonly handshakeMs: number;
}

/** Where visitors reach a tunnel. Neither is there if it was never opened. */
export interface PublicPlace {
  /** Of a TCP tunnel. */
  readonly port?: number;
  /** Of an HTTP tunnel: the whole host name. */
  readonly host?: string;
}

export interface SessionInfo {
  readonly sessionId: string;
  readonly clientKey: string;
}
