import type { ErrorCode, HeartbeatSettings } from '@tunnel/shared';
import type { Requirement } from './access/access.ts';
import type { AuthorizedKeySource } from './access/authorized-keys-file.ts';
import type { CertificateFiles } from './certificates/certificate-files.ts';
import type { LeaseStore } from './leases/leases.ts';

export interface ServerOptions {
  /** Where the control port listens; default all addresses. */
  readonly host?: string | undefined;
  /** Default 7835; 0 picks a free one. */
  readonly port?: number;
  /** Where public ports are opened; default as `host`. */
  readonly tunnelHost?: string | undefined;
  /** Public ports that may be asked for; default 1024 to 65535. */
  readonly minPort?: number;
  readonly maxPort?: number;
  /** The server's X25519 private key, 32 bytes. */
  readonly identity: Uint8Array;
  /** Serves `wss`: reread when the files change. Default `ws`. */
  readonly tls?: CertificateFiles | undefined;
  /** Networks in CIDR notation of the proxies in front whose `X-Forwarded-For` tells a client's address. Default none. */
  readonly trustedProxies?: readonly string[];
  /**
   * Networks in CIDR notation of the load balancers that begin each connection with a PROXY header (version 1 or 2), to the
   * control port and to public ports: it tells the address of the client or visitor. Connections from there without one are
   * ended; from elsewhere none is looked for. Default none.
   */
  readonly acceptProxyProtocol?: readonly string[];
  /** The shared secret; may be left out where clients are admitted by their keys alone. */
  readonly secret?: string | undefined;
  /** Still accepted while clients are moved to the new one. */
  readonly previousSecret?: string | undefined;
  /** Keys of clients, and what each may ask for. Read at the start and whenever it changes. */
  readonly authorizedKeys?: AuthorizedKeySource | undefined;
  /** What a client has to prove. Default: the secret, a listed key, or either, by which of the two were given. */
  readonly require?: Requirement | undefined;
  /** Default 2,000 and 8,000. */
  readonly heartbeat?: HeartbeatSettings;
  /** How long a session is kept without a link, in ms; 0 turns resume off. Default 120,000. */
  readonly resumeWindowMs?: number;
  /** How long running streams may go on after `stop`, in ms. Default 10,000. */
  readonly drainTimeoutMs?: number;
  /** Host in public addresses; default what clients dialed. */
  readonly publicHost?: string | undefined;
  /** Keeps leases over restarts; without it they last as long as the server. */
  readonly leases?: LeaseStore | undefined;
  /** Program and version, told to clients. */
  readonly agent?: string;
}

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
