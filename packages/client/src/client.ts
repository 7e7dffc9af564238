import { EventEmitter } from 'node:events';
import { kindOf, MEMORY_BUDGET_BYTES, MemoryBudget, TunnelError } from '@tunnel/shared';
import { formatServerAddress } from './dial/address.ts';
import type { ClientEvents } from './events.ts';
import type { ClientOptions, TunnelOptions } from './options.ts';
import type { ExchangeRecorder } from './http/exchange-recorder.ts';
import { RequestObserver } from './http/request-observer.ts';
import { formatTarget } from './services/target.ts';
import type { ClientStatus } from './status.ts';
import { publicKeyOf } from './trust/public-key.ts';
import { withHint } from './trust/refusal-hint.ts';
import { type ClientTunnel, TunnelSet } from './tunnels/tunnel-set.ts';
import { asTunnelError, causeOf } from './uplink/causes.ts';
import { mergedStatus } from './uplink/merged-status.ts';
import type { InternalClientOptions } from './uplink/uplink-options.ts';
import { Uplink } from './uplink/uplink.ts';

/** Where the exchanges of HTTP tunnels are recorded. */
export interface RecordingOptions {
  readonly recorder?: ExchangeRecorder | undefined;
}

/** Makes a client. Nothing happens before `start`. Throws `TunnelError` for options that cannot work. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/**
 * Keeps tunnels open to one server: dials, forwards visitors to the local services, comes back when the link breaks, and
 * tells what happens as events. Never throws after `start`: the last event is `stopped`. `await using` stops it.
 */
export class Client extends EventEmitter<{ [K in keyof ClientEvents]: [ClientEvents[K]] }> implements AsyncDisposable {
  readonly #options: ClientOptions;
  readonly #recorder: ExchangeRecorder | undefined;
  readonly #tunnels: TunnelSet;
  /** At least one. */
  readonly #uplinks: readonly Uplink[];
  /** Those that have not come to their end. */
  readonly #running: Set<Uplink>;
  /** Whose service was told of once, since it does not answer to the public name. */
  readonly #hinted = new WeakSet<ClientTunnel>();
  #stopping: Promise<void> | undefined;
  #error: TunnelError | undefined;

  constructor(options: ClientOptions) {
    super();
    const all: InternalClientOptions & RecordingOptions = options;
    const { tunnels, localWaitMs, ports, looksAtTargets, uplinks = [{}], recorder, ...shared } = all;
    this.#options = options;
    this.#recorder = recorder;
    this.#tunnels = new TunnelSet(
      { tunnels, localWaitMs, ports, looksAtTargets, server: formatServerAddress(options.server) },
      {
        onHealth: (target, report) => this.emit('service', { target, ...report }),
        onVisitorIdle: (target, visitor) => this.emit('visitor-idle', { target, visitor }),
        onWarning: (error) => this.#warn(asTunnelError(error)),
      },
    );
    const budget = new MemoryBudget(MEMORY_BUDGET_BYTES);
    this.#uplinks = uplinks.map((own) => this.#makeUplink({ ...shared, budget, ...own }));
    this.#running = new Set(this.#uplinks);
  }

  #makeUplink(options: ConstructorParameters<typeof Uplink>[0]): Uplink {
    const uplink: Uplink = new Uplink(options, this.#tunnels, {
      tell: (name, event) => this.emit(name, ...([event] as never)),
      onVisitorsRefused: (tunnel) => this.#tellVisitorsRefused(tunnel),
      observe: (...visit) => this.#observe(...visit),
      onEnd: (error) => this.#onUplinkEnd(uplink, error),
    });
    return uplink;
  }

  /** Begins to connect. */
  start(): void {
    // Not before: a client that the server refuses has more important things to say.
    this.once('ready', () => this.#tunnels.lookAtTargets());
    for (const uplink of this.#uplinks) uplink.start();
  }

  /** Ends cleanly: no new visitors, running streams get a short time, ports are given back. Resolves after `stopped`. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#uplinks.map((uplink) => uplink.drain()));
    this.abort();
  }

  /** As `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Ends at once. `stopped` follows. */
  abort(): void {
    for (const uplink of this.#uplinks) uplink.end(new TunnelError('stopped'));
  }

  /** Tries now where it would wait. */
  retryNow(): void {
    for (const uplink of this.#uplinks) uplink.retryNow();
  }

  /**
   * Makes these its tunnels, in the session that goes on: those that are as they were are not touched, others are asked for
   * or given back. `ready` follows once all are open. Resolves when the server has been asked.
   */
  async setTunnels(tunnels: readonly TunnelOptions[]): Promise<void> {
    const changes = this.#tunnels.replace(tunnels);
    for (const uplink of this.#uplinks) uplink.change(changes);
    for (const tunnel of changes.added) {
      if (!(await this.#tunnels.recallPortOf(tunnel))) continue;
      for (const uplink of this.#uplinks) uplink.tunnels.ask(tunnel);
    }
  }

  /** Asks the server for a sign of life. Resolves with the time that took in ms, or undefined where none came in time. */
  async probe(timeoutMs: number): Promise<number | undefined> {
    const times = await Promise.all(this.#uplinks.map((uplink) => uplink.probe(timeoutMs)));
    return times.find((timeMs) => timeMs !== undefined);
  }

  /** The client's public key, base64url: what the server's admin writes into the authorized keys. */
  get publicKey(): string {
    return publicKeyOf(this.#options.identity);
  }

  /** Why it stopped; undefined before. */
  get error(): TunnelError | undefined {
    return this.#error;
  }

  /** What it is doing now, and has been through. */
  status(): ClientStatus {
    const [first, ...others] = this.#uplinks.map((uplink) => uplink.status());
    if (first === undefined) throw new TunnelError('internal', { detail: 'a client without an uplink' });
    return mergedStatus(first, ...others);
  }

  #tellVisitorsRefused(tunnel: ClientTunnel): void {
    let denied = 0;
    let overLimit = 0;
    for (const uplink of this.#uplinks) {
      const counts = uplink.tunnels.refusedBy(tunnel);
      denied += counts.denied;
      overLimit += counts.overLimit;
    }
    this.emit('visitors-refused', { target: tunnel.service.target, denied, overLimit });
  }

  /** Looking on costs time for every byte: only where somebody wants to know. */
  #observe(tunnel: ClientTunnel, address: string, publicHost: string): RequestObserver | undefined {
    const { http } = tunnel.options;
    const recorder = this.#recorder;
    // What passes is HTTP/1.1, or nothing that can be read here.
    if (http === undefined || http.upstream === 'h2c') return undefined;
    if (recorder === undefined && this.listenerCount('request') === 0) return undefined;
    const { target } = tunnel.service;
    const { hostHeader = 'keep' } = http;
    // Then nothing in the request tells the public name.
    const host = hostHeader === 'local' ? publicHost : undefined;
    const mayHint = hostHeader === 'keep' && !this.#hinted.has(tunnel);
    return new RequestObserver({
      onExchange: ({ target: path, ...exchange }) => {
        this.emit('request', { ...exchange, host: host ?? exchange.host, target, path, address });
      },
      recording: recorder && { recorder, origin: { target, address, host } },
      onHostRefused: mayHint ? (server) => this.#hintAtHostHeader(tunnel, server) : undefined,
    });
  }

  /** Once for each tunnel. */
  #hintAtHostHeader(tunnel: ClientTunnel, server: string): void {
    if (this.#hinted.has(tunnel)) return;
    this.#hinted.add(tunnel);
    this.#warn(new TunnelError('host-refused', { detail: `${formatTarget(tunnel.service.target)} (${server})` }));
  }

  #warn(error: TunnelError): void {
    this.emit('warning', { ...causeOf(error), hint: error.hint });
  }

  /** The last one ends the client. */
  #onUplinkEnd(uplink: Uplink, cause: TunnelError): void {
    this.#running.delete(uplink);
    const error = withHint(cause, this.#options);
    if (this.#running.size > 0) {
      if (error.code !== 'stopped') this.#warn(error);
      return;
    }
    this.#error = error;
    this.#tunnels.dispose();
    // A one-shot client did its job once its link was established.
    const isDone = this.#options.reconnect === false && this.#uplinks.some(({ wasReady }) => wasReady);
    this.emit('stopped', {
      ...causeOf(error),
      exitCode: isDone ? 0 : kindOf(error.code).exitCode,
      hint: error.hint,
    });
  }
}
