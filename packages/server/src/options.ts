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

/** How a server gets certificates by itself. */
export interface AcmeOptions {
  /** For the account. Giving it agrees to the authority's terms of service. */
  readonly email: string;
  /** URL of the authority's directory; default Let's Encrypt's. */
  readonly directoryUrl?: string | undefined;
  /** Authorities that vouch for the authority's own server, in PEM; default Node's. */
  readonly ca?: string | undefined;
  /** Certificates for new names of tunnels within a week; default 40. */
  readonly weeklyLimit?: number | undefined;
  /** A directory, for this server alone, where the account's key and the certificates are kept. */
  readonly directory: string;
}

export interface ServerOptions {
  /** The address that the control port listens on; default all addresses. */
  readonly host?: string | undefined;
  /** Default 7835; 0 picks a free one. */
  readonly port?: number;
  /** The address that public ports listen on; default as `host`. */
  readonly tunnelHost?: string | undefined;
  /** The range of public ports that clients may ask for; default 1024 to 65535. */
  readonly minPort?: number;
  readonly maxPort?: number;
  /** The server's X25519 private key, 32 bytes. */
  readonly identity: Uint8Array;
  /**
   * Serves `wss` with these files, which are reread when they change. Of several pairs the name in the TLS hello decides; the
   * first is for names that none is for. Default `ws`.
   */
  readonly tls?: CertificateFiles | readonly CertificateFiles[] | undefined;
  /**
   * Networks, in CIDR notation, of reverse proxies whose `X-Forwarded-For` contains the client's address. Default none.
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Networks, in CIDR notation, of load balancers that start each connection to the control port and to public ports
   * with a PROXY header (version 1 or 2) containing the address of the client or visitor. Connections from there
   * without one are ended; on others none is expected. Default none.
   */
  readonly acceptProxyProtocol?: readonly string[];
  /** The shared secret; may be left out if clients are admitted by their keys alone. */
  readonly secret?: string | undefined;
  /** Still accepted while clients move to the new one. */
  readonly previousSecret?: string | undefined;
  /** The clients' keys, and what each may ask for. Read at the start and whenever they change. */
  readonly authorizedKeys?: AuthorizedKeySource | undefined;
  /**
   * What a client has to prove. Default: the secret, a listed key, or either, depending on which of the two are given.
   */
  readonly require?: Requirement | undefined;
  /** Default 2,000 and 8,000. */
  readonly heartbeat?: HeartbeatSettings;
  /** How long a session is kept without a link, in ms; 0 turns resume off. Default 120,000. */
  readonly resumeWindowMs?: number;
  /** How long open streams may continue after `stop`, in ms. Default 10,000. */
  readonly drainTimeoutMs?: number;
  /** The host in public addresses; default the one that clients dialed. */
  readonly publicHost?: string | undefined;
  /** Names of HTTP tunnels are below it. Default `localhost`; none if there is a `publicHost`. */
  readonly domain?: string | undefined;
  /** Host names besides those below the domain that clients may ask for; `*.example.org` for all with one label more. */
  readonly allowHosts?: readonly string[];
  /** A further port for visitors and links; the host's default is `host`. */
  readonly http?: ListenAddress | undefined;
  /** As `http`, with TLS. Needs `tls` or `acme`. */
  readonly https?: ListenAddress | undefined;
  /** Gets certificates for `https`: for the domain and the public host at the start, and for each host name of a tunnel. */
  readonly acme?: AcmeOptions | undefined;
  /** Whether `http` sends visitors of names that have a certificate to `https`. Default true. */
  readonly redirect?: boolean | undefined;
  /** Keeps leases across restarts; without it they last as long as the server. */
  readonly leases?: LeaseStore | undefined;
  /** Program and version, told to clients. */
  readonly agent?: string;
}
