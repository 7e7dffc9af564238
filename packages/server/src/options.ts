import type { HeartbeatSettings } from '@tunnel/shared';
import type { Requirement } from './access/access.ts';
import type { AuthorizedKeySource } from './access/authorized-keys-file.ts';
import type { CertificateFiles } from './certificates/certificate-files.ts';
import type { LeaseStore } from './claims/lease-file.ts';

/** Where a server listens. Port 0 picks a free one. */
export interface ListenAddress {
  readonly host?: string | undefined;
  readonly port: number;
}

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
  /** Names of HTTP tunnels are below it. Default `localhost`; none if there is a `publicHost`. */
  readonly domain?: string | undefined;
  /** Host names besides those below the domain that clients may ask for; `*.example.org` for all with one label more. */
  readonly allowHosts?: readonly string[];
  /** A further port for visitors and links; the host's default is `host`. */
  readonly http?: ListenAddress | undefined;
  /** As `http`, with TLS. Needs `tls`. */
  readonly https?: ListenAddress | undefined;
  /** Keeps leases over restarts; without it they last as long as the server. */
  readonly leases?: LeaseStore | undefined;
  /** Program and version, told to clients. */
  readonly agent?: string;
}
