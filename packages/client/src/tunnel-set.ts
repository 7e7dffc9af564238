import { Backoff, ERRORS, TunnelError } from '@tunnel/shared';
import { monotonicNow, type SessionDriver } from '@tunnel/shared/node';
import { formatServerAddress } from './dial/address.ts';
import type { OpenTunnel } from './events.ts';
import { LocalService, type LocalServiceOptions } from './local-service.ts';
import type { ClientOptions, LocalTarget, TunnelOptions } from './options.ts';
import type { DueAttempt, TunnelStatus } from './status.ts';

/** A tunnel that a client keeps open, over sessions. */
interface Tunnel {
  readonly id: number;
  readonly options: TunnelOptions;
  readonly service: LocalService;
  readonly name: string;
  /** The public port that was granted, and is asked for again. */
  port: number | undefined;
  /** The port that an earlier process had: a wish. */
  rememberedPort: number | undefined;
  isOpen: boolean;
  publicHost: string;
  backoff: Backoff;
  /** The server refused it, for now. */
  retry: (DueAttempt & { readonly timer: NodeJS.Timeout }) | undefined;
}

export interface TunnelSetHandlers {
  onHealth(target: LocalTarget, ...told: Parameters<LocalServiceOptions['onHealth']>): void;
  /** The server refused one, and it is asked for again after a while. */
  onRetrying(error: TunnelError, attempt: number, delayMs: number): void;
  /** The server refused one for good. */
  onFatal(error: TunnelError): void;
  onWarning(error: unknown): void;
}

/** The tunnels of a client: asks for them in each session, remembers their ports, asks again where one is refused for now. */
export class TunnelSet {
  readonly #options: ClientOptions;
  readonly #handlers: TunnelSetHandlers;
  readonly #tunnels: readonly Tunnel[];

  constructor(options: ClientOptions, handlers: TunnelSetHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#tunnels = options.tunnels.map((tunnel, index) => ({
      id: index + 1,
      options: tunnel,
      service: new LocalService({
        target: tunnel.target,
        waitMs: options.localWaitMs ?? 0,
        onHealth: (report) => handlers.onHealth(tunnel.target, report),
      }),
      name: tunnel.name ?? `${tunnel.target.host}:${tunnel.target.port}`,
      port: undefined,
      rememberedPort: undefined,
      isOpen: false,
      publicHost: '',
      backoff: new Backoff(options.maxReconnectDelayMs),
      retry: undefined,
    }));
  }

  get areAllOpen(): boolean {
    return this.#tunnels.every(({ isOpen }) => isOpen);
  }

  /** Attempts for single tunnels that wait for their time. */
  get dueAttempts(): readonly DueAttempt[] {
    return this.#tunnels.flatMap(({ retry }) => retry ?? []);
  }

  get open(): readonly OpenTunnel[] {
    return this.#tunnels.map((tunnel) => ({
      target: tunnel.options.target,
      url: urlOf(tunnel),
      port: tunnel.port ?? 0,
    }));
  }

  get status(): readonly TunnelStatus[] {
    return this.#tunnels.map((tunnel) => ({
      target: tunnel.options.target,
      url: tunnel.publicHost === '' ? undefined : urlOf(tunnel),
      port: tunnel.port,
      isOpen: tunnel.isOpen,
    }));
  }

  serviceOf(tunnelId: number): LocalService | undefined {
    return this.#find(tunnelId)?.service;
  }

  /** Looks up which ports earlier processes had. */
  async recallPorts(): Promise<void> {
    const { ports, server } = this.#options;
    if (!ports) return;
    for (const tunnel of this.#tunnels) {
      if (tunnel.options.port) continue;
      try {
        const { port, damage } = await ports.recall(formatServerAddress(server), tunnel.name);
        tunnel.rememberedPort = port;
        if (damage) this.#handlers.onWarning(damage);
      } catch (error) {
        this.#handlers.onWarning(error);
      }
    }
  }

  /** Asks for all of them, in a new session. */
  requestAll(driver: SessionDriver): void {
    for (const tunnel of this.#tunnels) this.#request(driver, tunnel);
  }

  /** Asks at once for those that wait for their time. */
  retryNow(driver: SessionDriver): void {
    for (const tunnel of this.#tunnels) if (tunnel.retry) this.#request(driver, tunnel);
  }

  granted(tunnelId: number, port: number, host: string): void {
    const tunnel = this.#find(tunnelId);
    if (!tunnel) return;
    const { ports, server } = this.#options;
    tunnel.port = port;
    tunnel.isOpen = true;
    tunnel.publicHost = host || server.host;
    tunnel.backoff = tunnel.backoff.start();
    ports
      ?.remember(formatServerAddress(server), tunnel.name, port)
      .catch((error: unknown) => this.#handlers.onWarning(error));
  }

  /** The server does not give this one, or takes it away. */
  refused(driver: SessionDriver, tunnelId: number, error: TunnelError): void {
    const tunnel = this.#find(tunnelId);
    if (!tunnel) return;
    tunnel.isOpen = false;
    const { disposition } = ERRORS[error.code];
    const hadIt = tunnel.port !== undefined;
    if (tunnel.rememberedPort !== undefined && !hadIt && disposition !== 'retry') {
      // Somebody else has it by now, or it is out of the server's range: any other will do.
      tunnel.rememberedPort = undefined;
      this.#request(driver, tunnel);
      return;
    }
    if (error.code === 'port-not-allowed' && hadIt && !tunnel.options.port) {
      // It may not have this one any more, which nobody asked for by number: any other will do.
      tunnel.port = undefined;
      tunnel.rememberedPort = undefined;
      this.#request(driver, tunnel);
      return;
    }
    if (disposition === 'fatal' || (disposition === 'fatal-at-start' && !hadIt) || this.#options.reconnect === false) {
      this.#handlers.onFatal(error);
      return;
    }
    const delayMs = tunnel.backoff.delayMs(Math.random);
    const attempt = tunnel.backoff.count + 1;
    tunnel.backoff = tunnel.backoff.next();
    clearTimeout(tunnel.retry?.timer);
    tunnel.retry = {
      attempt,
      dueAt: monotonicNow() + delayMs,
      timer: setTimeout(() => this.#request(driver, tunnel), delayMs),
    };
    this.#handlers.onRetrying(error, attempt, delayMs);
  }

  /** Gives all back, in the session that goes on for a moment. */
  closeAll(driver: SessionDriver): void {
    for (const { id } of this.#tunnels) {
      driver.session.sendTunnelFrame({ type: 'tunnel-close', tunnelId: id, code: 'stopped' });
    }
    driver.flushSoon();
  }

  /** The session is gone, and with it all of them. */
  lost(): void {
    for (const tunnel of this.#tunnels) {
      tunnel.isOpen = false;
      clearTimeout(tunnel.retry?.timer);
      tunnel.retry = undefined;
    }
  }

  /** Ends what goes on for the local services. */
  dispose(): void {
    this.lost();
    for (const { service } of this.#tunnels) service.close();
  }

  #find(tunnelId: number): Tunnel | undefined {
    return this.#tunnels[tunnelId - 1];
  }

  #request(driver: SessionDriver, tunnel: Tunnel): void {
    clearTimeout(tunnel.retry?.timer);
    tunnel.retry = undefined;
    driver.session.sendTunnelFrame({
      type: 'tunnel-request',
      tunnelId: tunnel.id,
      port: tunnel.port ?? tunnel.options.port ?? tunnel.rememberedPort ?? 0,
      name: tunnel.name,
    });
    driver.flushSoon();
  }
}

function urlOf({ publicHost, port = 0 }: Pick<Tunnel, 'publicHost' | 'port'>): string {
  return `tcp://${publicHost.includes(':') ? `[${publicHost}]` : publicHost}:${port}`;
}
