import type { HeartbeatSettings, NoiseCrypto } from '@tunnel/shared';
import type { ServerAddress } from './dial/address.ts';
import type { ProxyAddress } from './dial/proxy-address.ts';
import type { VisitorSocket } from '@tunnel/shared/node';

/** A local service that visitors are to reach: over TCP, or through a Unix socket with an absolute path. */
export type LocalTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * Serves one visitor, in this process. Where it throws or rejects, the visitor is reset and a `warning` tells of it with the
 * code `handler-failed`, unless the visitor had left.
 */
export type VisitorHandler = (visitor: VisitorSocket) => void | Promise<void>;

/** A server that serves the connections which it is told of by this event, as `http.Server` does. It need not listen. */
export interface ConnectionServer {
  emit(event: 'connection', visitor: VisitorSocket): boolean;
  /** As of a `net.Server`; default true. */
  readonly allowHalfOpen?: boolean;
}

/** A header as it is to be. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** A host name in place of a port, and what the server does with the requests that come to it. */
export interface HttpOptions {
  /**
   * The name to ask for: one label, which stands below the server's domain, or a whole host name. Default: one that the
   * server makes of the tunnel's name and the client's key.
   */
  readonly host?: string | undefined;
  /** Each as `user:password`: a request has to carry one of them. The server gets a salted digest only. */
  readonly basicAuth?: readonly string[] | undefined;
  /**
   * What the service sees as Host: what the visitor asked for (`keep`, the default), the target (`local`, also in an Origin that
   * is the public one), or this name.
   */
  readonly hostHeader?: string | undefined;
  /**
   * What the service speaks: HTTP/1.1 (`http`, the default), the same over TLS (`https`), or HTTP/2 without TLS (`h2c`), as gRPC
   * has it.
   */
  readonly upstream?: 'http' | 'https' | 'h2c' | undefined;
  /** Headers of requests that are replaced. */
  readonly setHeaders?: readonly HeaderField[] | undefined;
  /** Names of headers that requests lose. */
  readonly removeHeaders?: readonly string[] | undefined;
  /** Headers of answers that are replaced. */
  readonly setResponseHeaders?: readonly HeaderField[] | undefined;
}

export interface TunnelOptions {
  /** A local service, or what serves visitors in this process: then events tell it as host `in-process` and port 0. */
  readonly target: LocalTarget | VisitorHandler | ConnectionServer;
  /** Public port to ask for; 0 (default) for any free one. Not with `http`. */
  readonly port?: number;
  /** Makes it an HTTP tunnel, which visitors reach by a host name; `{}` for any name. Default: a TCP tunnel, which has a port. */
  readonly http?: HttpOptions | undefined;
  /** Told to the server, which keeps the port's lease under it; default the target as text, or `in-process`. */
  readonly name?: string;
  /** As in `ClientOptions`, where it is another one for this tunnel. */
  readonly localWaitMs?: number;
  /** Networks and addresses in CIDR notation whose visitors are let in; none (default): all. */
  readonly allow?: readonly string[] | undefined;
  /** Those whose visitors are kept out, also where `allow` has them. */
  readonly deny?: readonly string[] | undefined;
  /** Visitors at once, at least 1; further ones are reset. Default as many as the session carries. */
  readonly maxConnections?: number | undefined;
  /** Begins each connection to the target with a header of the PROXY protocol that tells the visitor's address. Not with `http`. */
  readonly proxyProtocol?: 'v1' | 'v2' | undefined;
  /** A visitor's connection on which nothing moved for so long, in ms, is reset. Time without a link does not count. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Remembers which key a server address had, so that nobody else can be it later. */
export interface PinStore {
  /** The pinned 32-byte key, or undefined. Throws `TunnelError` with `state-damaged` where a pin cannot be read. */
  read(address: string): Promise<Uint8Array | undefined>;
  write(address: string, key: Uint8Array): Promise<void>;
  /** Where the pin of this address is kept, for people. */
  describe(address: string): string;
}

/** Remembers which public port a tunnel had, over starts of the client. What it says is a wish, never a demand. */
export interface PortMemory {
  /** The port that this tunnel had, unless another running process has it now. */
  recall(server: string, name: string): Promise<{ readonly port: number | undefined; readonly damage?: Error }>;
  remember(server: string, name: string, port: number): Promise<void>;
}

export interface ClientOptions {
  readonly server: ServerAddress;
  /** Asked before each attempt where the server is by now. Pins and ports are remembered under `server`. Must not reject. */
  readonly findServer?: (() => Promise<ServerAddress>) | undefined;
  /** At least one. */
  readonly tunnels: readonly TunnelOptions[];
  /** The client's X25519 private key, 32 bytes. */
  readonly identity: Uint8Array;
  readonly secret?: string | undefined;
  /** The server's public key, where it is known beforehand: 32 bytes. Goes before any pin. */
  readonly serverKey?: Uint8Array | undefined;
  /** Where that key was given, for hints. */
  readonly serverKeySource?: string | undefined;
  /** Without it nothing is pinned: then `serverKey` or `secret` has to do. */
  readonly pins?: PinStore | undefined;
  /** Without it a new start gets the port that the server leased to this identity, or any. */
  readonly ports?: PortMemory | undefined;
  /** Default false: a tunnel that is refused for good ends the client. True: it does once all are, before that it is a warning. */
  readonly outlivesTunnels?: boolean;
  /** Default true. False: one attempt, one link. */
  readonly reconnect?: boolean;
  /** Default 30,000; at least 100. */
  readonly maxReconnectDelayMs?: number;
  /** Default 2,000 and 8,000. */
  readonly heartbeat?: HeartbeatSettings;
  /** For one attempt, all its steps. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long a visitor is held while the local service is down, in ms. Default 0: it is reset at once. */
  readonly localWaitMs?: number;
  /**
   * Default true: once the tunnels are open, the system is asked whether anything listens at targets of this machine, so that
   * `service` tells at once if nothing does; with `localWaitMs` after that time. No connection is made.
   */
  readonly looksAtTargets?: boolean;
  /** CA certificates in PEM for `wss`; default the system's. */
  readonly ca?: string | undefined;
  /** Default true. False is possible where `serverKey` is given: then the handshake says who the server is. */
  readonly verifyCertificate?: boolean | undefined;
  /** What the link goes through; default the direct way. The environment is not looked at. */
  readonly proxy?: ProxyAddress | undefined;
  /** How long running streams may go on after `stop`. Default 1,000. */
  readonly stopGraceMs?: number;
  /** X25519 of tweetnacl by default; a process with very many clients wants Node's, `nodeCrypto`, which is faster. */
  readonly crypto?: NoiseCrypto;
  /** Program and version, told to the server. */
  readonly agent?: string;
}
