import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { decodeGivenKey, generateIdentity, loadOrCreateIdentity } from '@tunnel/shared/node';
import { Client } from './client.ts';
import { parseHostAndPort, parseServerAddress } from './dial/address.ts';
import { parseProxyAddress, type ProxyAddress } from './dial/proxy-address.ts';
import type { ClientEvents, OpenTunnel } from './events.ts';
import { LastPorts } from './tunnels/last-ports.ts';
import type { ClientOptions, TunnelOptions } from './options.ts';
import { problemOfSocketPath, socketPathOf } from './services/target.ts';
import { PinDirectory } from './trust/pins.ts';
import type { ClientStatus } from './status.ts';

/** What visitors reach: a port of this machine, `host:port`, or a function or server of this process. */
export type ConnectTarget = number | string | TunnelOptions['target'];

/** One of several targets, with what is different for it from the options around it. */
export interface TargetOptions extends Omit<TunnelOptions, 'target'> {
  readonly target: ConnectTarget;
}

/** What `connect` needs: `to`, `target`, and a `secret` or a `serverKey`. */
export interface ConnectOptions
  extends
    Omit<TunnelOptions, 'target'>,
    Omit<
      ClientOptions,
      | 'server'
      | 'findServer'
      | 'tunnels'
      | 'identity'
      | 'serverKey'
      | 'serverKeySource'
      | 'pins'
      | 'ports'
      | 'proxy'
      | 'outlivesTunnels'
    > {
  /** The server: host, host:port, [v6]:port, ws://host:port/path or wss://host/path. A bare host means `ws` and port 7835. */
  readonly to: string;
  /**
   * What visitors reach: a port of this machine, `host:port`, `unix:/path`, or a function or server of this process. A list of
   * these: then each gets a public address of its own, in the same order.
   */
  readonly target: ConnectTarget | readonly (ConnectTarget | TargetOptions)[];
  /** The server's public key: 43 characters of base64url, or 32 bytes. Default: whoever answers first and knows the secret. */
  readonly serverKey?: string | Uint8Array | undefined;
  /** What the link goes through, as in `http://user:password@host:port` or `socks5://host`; default the direct way. */
  readonly proxy?: string | ProxyAddress | undefined;
  /** The client's X25519 private key, 32 bytes. Default: that of the state directory, or a new one with each call. */
  readonly identity?: Uint8Array;
  /**
   * Where the identity, the keys of servers and the public port are kept over restarts: a directory, made where there is
   * none. Without it they last as long as the tunnel.
   */
  readonly stateDirectory?: string;
  /** Closes the tunnel as `close` does; before it is open, has `connect` reject with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told of failed attempts also before `connect` resolves, when there is no tunnel to listen to yet. */
  readonly onRetrying?: (event: TunnelEvents['retrying']) => void;
}

const EVENTS = [
  'ready',
  'disconnected',
  'retrying',
  'warning',
  'service',
  'visitors-refused',
  'visitor-idle',
  'stream',
  'stopped',
] as const satisfies readonly (keyof TunnelEvents)[];

/** What a tunnel tells, by event name: these of a client's. */
export type TunnelEvents = Pick<
  ClientEvents,
  | 'ready'
  | 'disconnected'
  | 'retrying'
  | 'warning'
  | 'service'
  | 'visitors-refused'
  | 'visitor-idle'
  | 'request'
  | 'stream'
  | 'stopped'
>;

/**
 * An open tunnel, or several, made by `connect`. It comes back by itself when its link breaks; `stopped` is its last event.
 * `await using` closes it.
 */
export class Tunnel extends EventEmitter<{ [K in keyof TunnelEvents]: [TunnelEvents[K]] }> implements AsyncDisposable {
  readonly #client: Client;
  #addresses: readonly OpenTunnel[] = [];

  /** Use `connect`. */
  constructor(client: Client) {
    super();
    this.#client = client;
    // First, so that who is told of `ready` finds the address of now.
    client.on('ready', ({ tunnels }) => (this.#addresses = tunnels));
    for (const name of EVENTS) client.on(name, (...told: unknown[]) => this.emit(name, ...(told as never)));
    // Somebody who listens to the client has it look on at every stream.
    EventEmitter.prototype.on.call(this, 'newListener', (name) => {
      if (name === 'request' && this.listenerCount('request') === 0) this.#tellRequests();
    });
  }

  #tellRequests(): void {
    const client = this.#client;
    const tell = (event: TunnelEvents['request']): void => void this.emit('request', event);
    if (client.listenerCount('request') === 0) client.on('request', tell);
  }

  /**
   * The public address, `tcp://host:port`, or with `http` as in `https://host`; of several targets that of the first. It stays the
   * same; only if a restarted server may not open it any more, another one comes with a `ready`.
   */
  get url(): string {
    return this.#addresses[0]?.url ?? '';
  }

  /** The public port; of several targets that of the first. 0 for an HTTP tunnel, which has none of its own. */
  get port(): number {
    return this.#addresses[0]?.port ?? 0;
  }

  /** The public addresses of all targets, in their order. */
  get addresses(): readonly OpenTunnel[] {
    return this.#addresses;
  }

  /** The client's public key, base64url: what the server's admin writes into the authorized keys. */
  get publicKey(): string {
    return this.#client.publicKey;
  }

  /** What it is doing now, and has been through. */
  status(): ClientStatus {
    return this.#client.status();
  }

  /** Tries now where it would wait. */
  retryNow(): void {
    this.#client.retryNow();
  }

  /** Takes no new visitors, lets running connections finish within `stopGraceMs`, and ends. */
  close(): Promise<void> {
    return this.#client.stop();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a tunnel; resolves when the public address is open. While the server cannot be reached it tries again, for ever unless
 * `signal` or `reconnect: false` says otherwise. Rejects with a `TunnelError` where that cannot help, such as `secret-refused`,
 * `port-not-allowed` or `usage`; its `hint` says, as data, what may help.
 */
export async function connect(options: ConnectOptions): Promise<Tunnel> {
  const { signal, onRetrying } = options;
  signal?.throwIfAborted();
  const client = new Client(await toClientOptions(options));
  const tunnel = new Tunnel(client);
  if (onRetrying) client.on('retrying', onRetrying);
  const early: TunnelEvents['service'][] = [];
  const keep = (event: TunnelEvents['service']): void => void early.push(event);
  client.on('service', keep);
  await new Promise<void>((resolve, reject) => {
    client.once('ready', () => resolve());
    client.once('stopped', () => reject(client.error ?? new TunnelError('stopped')));
    client.start();
    if (!signal) return;
    const close = (): void => {
      // No news where it is open already.
      reject(signal.reason as unknown);
      void tunnel.close();
    };
    if (signal.aborted) close();
    else signal.addEventListener('abort', close, { once: true });
    client.once('stopped', () => signal.removeEventListener('abort', close));
  });
  client.off('service', keep);
  // What the look at the target found before the caller could listen to the tunnel.
  if (early.length > 0) setImmediate(() => early.forEach((event) => tunnel.emit('service', event)));
  return tunnel;
}

async function toClientOptions(options: ConnectOptions): Promise<ClientOptions> {
  const { to, target, port, name, http, allow, deny, maxConnections, proxyProtocol, idleTimeoutMs, ...rest } = options;
  const { serverKey, proxy, stateDirectory, signal: _signal, onRetrying: _onRetrying, ...settings } = rest;
  const kept = stateDirectory === undefined ? undefined : await readState(stateDirectory, options.identity);
  const one = { ...(port !== undefined && { port }), ...(name !== undefined && { name }) };
  const each = { http, allow, deny, maxConnections, proxyProtocol, idleTimeoutMs };
  if (isList(target) && (port !== undefined || name !== undefined)) {
    throw new TunnelError('usage', {
      detail: 'a port or name for several targets: give each target its own',
    });
  }
  if (isList(target) && target.length > 1 && http?.host !== undefined) {
    throw new TunnelError('usage', { detail: 'a host for several targets: give each target its own' });
  }
  const targets = isList(target) ? target : [{ ...one, target }];
  return {
    ...settings,
    server: parseServerAddress(to),
    tunnels: targets.map((given) => {
      const own = isTargetOptions(given) ? given : { target: given };
      return { ...each, ...own, target: readTarget(own.target) };
    }),
    serverKey: typeof serverKey === 'string' ? decodeGivenKey(serverKey, 'serverKey') : serverKey,
    proxy: typeof proxy === 'string' ? parseProxyAddress(proxy) : proxy,
    identity: options.identity ?? kept?.identity ?? generateIdentity().privateKey,
    pins: kept?.pins,
    ports: kept?.ports,
  };
}

/** The same files as those of the command, so that one directory may serve both. */
async function readState(
  directory: string,
  given: Uint8Array | undefined,
): Promise<Required<Pick<ClientOptions, 'identity' | 'pins' | 'ports'>>> {
  return {
    identity: given ?? (await loadOrCreateIdentity(join(directory, 'identity'))).privateKey,
    pins: new PinDirectory(join(directory, 'pins')),
    ports: new LastPorts(join(directory, 'ports.json')),
  };
}

function isList(target: ConnectOptions['target']): target is readonly (ConnectTarget | TargetOptions)[] {
  return Array.isArray(target);
}

function isTargetOptions(given: ConnectTarget | TargetOptions): given is TargetOptions {
  return typeof given === 'object' && 'target' in given;
}

function readTarget(target: ConnectTarget): TunnelOptions['target'] {
  if (typeof target !== 'number' && typeof target !== 'string') return target;
  const text = /^\d+$/.test(String(target)) ? `localhost:${target}` : String(target);
  const refuse = (reason: string): never => {
    throw new TunnelError('usage', {
      detail: `${JSON.stringify(target)} is not a valid target: ${reason}`,
      hint: { id: 'target-forms' },
    });
  };
  const path = socketPathOf(text);
  if (path !== undefined) {
    const problem = problemOfSocketPath(path);
    return problem === undefined ? { path } : refuse(problem);
  }
  const { host, port } = parseHostAndPort(text, refuse);
  return port === undefined ? refuse('the port is missing') : { host, port };
}
