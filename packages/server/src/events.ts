import type { ErrorCode } from '@tunnel/shared';

/** What a server tells, by event name. `clientKey` is the client's public key, base64url. */
export interface ServerEvents {
  readonly listening: {
    readonly port: number;
    readonly serverKey: string;
    /** As clients name this server: `ws://host:port` or `wss://host:port`. */
    readonly url: string;
  };
  /** The files with the certificate were replaced, and new links use it; `validUntil` in ISO 8601. */
  readonly 'certificate-replaced': { readonly certFile: string; readonly validUntil: string };
  /** A new session began. */
  readonly 'client-connected': SessionInfo &
    LinkInfo & {
      /** Of the key in the authorized keys; missing where it is not listed. */
      readonly comment?: string;
      readonly agent: string;
    };
  /** A session lost its link and waits for the next one, or ended (`ended`). */
  readonly 'client-disconnected': SessionInfo & {
    readonly code: ErrorCode;
    readonly reason: string;
    readonly ended: boolean;
  };
  /** A session goes on over a new link. */
  readonly 'client-resumed': SessionInfo & LinkInfo;
  /** A session was without a link for the resume window. */
  readonly 'client-expired': SessionInfo & { readonly lostStreams: number };
  /** A link came to nothing. */
  readonly 'client-refused': {
    readonly code: ErrorCode;
    readonly reason: string;
    readonly address: string;
    /** Where the handshake came that far. It may not be proven. */
    readonly clientKey?: string;
    /** The session that the client wanted to carry on; undefined where it proved nothing, or wanted a new one. */
    readonly sessionId?: string | undefined;
  };
  /** The authorized keys were read anew. */
  readonly 'keys-changed': { readonly count: number };
  readonly 'tunnel-opened': SessionInfo & { readonly port: number; readonly name: string };
  readonly 'tunnel-closed': SessionInfo & { readonly port: number; readonly code: ErrorCode };
  readonly 'visitor-refused': SessionInfo & { readonly code: ErrorCode; readonly port: number };
  /** Something an operator should know that ends nothing. */
  readonly warning: { readonly code: ErrorCode; readonly reason: string };
  readonly stopped: Record<string, never>;
}

export interface LinkInfo {
  /** Where the client comes from: address and port. */
  readonly address: string;
  /** How long the handshake took, from the upgrade request to the client's last message, in ms. */
  readonly handshakeMs: number;
}

export interface SessionInfo {
  readonly sessionId: string;
  readonly clientKey: string;
}
