import { isDeepStrictEqual } from 'node:util';
import {
  Backoff,
  ENDPOINT_KIND,
  ERRORS,
  parsePublicAddress,
  TUNNEL_LIMIT,
  type TunnelCloseFrame,
  TunnelError,
  type TunnelGrantedFrame,
  type TunnelRefusedFrame,
  type VisitorRule,
} from '@tunnel/shared';
import { monotonicNow, type SessionDriver } from '@tunnel/shared/node';
import type { DueAttempt } from '../uplink/client-record.ts';
import { formatHostAndPort, formatServerAddress } from '../dial/address.ts';
import type { OpenTunnel } from '../events.ts';
import { IN_PROCESS, InProcessService, isInProcess } from '../services/in-process-service.ts';
import { LocalService, type LocalServiceOptions } from '../services/local-service.ts';
import type { ClientOptions, LocalTarget, TunnelOptions } from '../options.ts';
import { type RefusedCounts, RefusedTally } from './refused-tally.ts';
import type { TunnelStatus } from '../status.ts';
import { TunnelAnswers } from './tunnel-answers.ts';
import { visitorRules } from './visitor-rules.ts';
import type { VisitorService } from '../services/visitor-service.ts';

/** A tunnel that a client keeps open, over sessions. */
interface Tunnel {
  readonly id: number;
  options: TunnelOptions;
  service: VisitorService;
  readonly name: string;
  rules: readonly VisitorRule[];
  readonly refused: RefusedTally;
  /** The public port that was granted, and is asked for again. */
  port: number | undefined;
  /** The port that an earlier process had: a wish. */
  rememberedPort: number | undefined;
  isOpen: boolean;
  publicHost: string;
  backoff: Backoff;
  /** The server refused it, for now. */
  retry: (DueAttempt & { readonly timer: NodeJS.Timeout }) | undefined;
  /** The server refused it for good in this session, and others go on. */
  isGivenUp: boolean;
}

/** What a visitor of a tunnel has to do with. */
export interface VisitedTunnel {
  readonly service: VisitorService;
  readonly port: number;
  readonly proxyProtocol: TunnelOptions['proxyProtocol'];
}

export interface TunnelSetHandlers {
  onHealth(target: LocalTarget, ...told: Parameters<LocalServiceOptions['onHealth']>): void;
  /** The server kept visitors out: so many since the start. */
  onVisitorsRefused(target: LocalTarget, counts: RefusedCounts): void;
  /** The server refused one, and it is asked for again after a while. */
  onRetrying(error: TunnelError, attempt: number, delayMs: number): void;
  /** The server refused one for good, and that is the end. */
  onFatal(error: TunnelError): void;
  /** The server refused one for good, and others go on. */
  onGivenUp(name: string, error: TunnelError): void;
  onWarning(error: unknown): void;
}

/** The tunnels of a client: asks for them in each session, remembers their ports, asks again where one is refused for now. */
export class TunnelSet {
  readonly #options: ClientOptions;
  readonly #handlers: TunnelSetHandlers;
  /** By id, in the order of the options. Ids are not used again within a session. */
  #tunnels: ReadonlyMap<number, Tunnel>;
  #lastId = 0;
  readonly #answers = new TunnelAnswers();
  /** Also former ones, whose connections go on. */
  readonly #services = new Set<VisitorService>();

  /** Throws `usage` or `tunnel-limit` for tunnels that cannot be. */
  constructor(options: ClientOptions, handlers: TunnelSetHandlers) {
    requireCount(options.tunnels);
    this.#options = options;
    this.#handlers = handlers;
    this.#tunnels = byId(options.tunnels.map((tunnel) => this.#make(tunnel)));
  }

  /** All that are to be open are; those that were refused for good do not count. */
  get areAllOpen(): boolean {
    return [...this.#tunnels.values()].every(({ isOpen, isGivenUp }) => isOpen || isGivenUp);
  }

  /** Attempts for single tunnels that wait for their time. */
  get dueAttempts(): readonly DueAttempt[] {
    return [...this.#tunnels.values()].flatMap(({ retry }) => retry ?? []);
  }

  get open(): readonly OpenTunnel[] {
    return [...this.#tunnels.values()]
      .filter(({ isOpen }) => isOpen)
      .map((tunnel) => ({
        name: tunnel.options.name,
        target: tunnel.service.target,
        url: urlOf(tunnel),
        port: tunnel.port ?? 0,
      }));
  }

  get status(): readonly TunnelStatus[] {
    return [...this.#tunnels.values()].map((tunnel) => ({
      name: tunnel.options.name,
      target: tunnel.service.target,
      url: tunnel.publicHost === '' ? undefined : urlOf(tunnel),
      port: tunnel.port,
      isOpen: tunnel.isOpen,
      refused: tunnel.refused.total.denied + tunnel.refused.total.overLimit,
    }));
  }

  visited(tunnelId: number): VisitedTunnel | undefined {
    const tunnel = this.#find(tunnelId);
    if (!tunnel) return undefined;
    const { service, port = 0, options } = tunnel;
    return { service, port, proxyProtocol: options.proxyProtocol };
  }

  /** The server kept visitors of this one out: so many since it opened it. */
  visitorsRefused(tunnelId: number, counts: RefusedCounts): void {
    const tunnel = this.#find(tunnelId);
    if (tunnel?.refused.told(counts)) this.#handlers.onVisitorsRefused(tunnel.service.target, tunnel.refused.total);
  }

  /** There is a link again: what stood still without one was not idle. */
  linkAccepted(): void {
    for (const service of this.#services) service.restartIdleTimeout();
  }

  /** Looks up which ports earlier processes had. */
  async recallPorts(): Promise<void> {
    for (const tunnel of this.#tunnels.values()) await this.#recallPort(tunnel);
  }

  /**
   * Makes the tunnels these. One that is as it was is not touched; one with another target or other rules has them for its
   * next visitors;
   * ports that nobody wants any more are given back, and connections through them go on to their end. `driver`: of the
   * present session, if there is one.
   */
  async replace(wanted: readonly TunnelOptions[], driver: () => SessionDriver | undefined): Promise<void> {
    // Throws before anything is changed.
    requireCount(wanted);
    for (const options of wanted) visitorRules(options);
    const before = [...this.#tunnels.values()];
    const ruled = new Set<Tunnel>();
    const added: Tunnel[] = [];
    const next = wanted.map((options) => {
      const index = before.findIndex((tunnel) => isSameRequest(tunnel.options, options));
      const [known] = index === -1 ? [] : before.splice(index, 1);
      if (known) {
        const { rules } = known;
        if (!isDeepStrictEqual(known.options, options)) this.#retarget(known, options);
        if (!isDeepStrictEqual(known.rules, rules)) ruled.add(known);
        return known;
      }
      const tunnel = this.#make(options);
      added.push(tunnel);
      return tunnel;
    });
    this.#tunnels = byId(next);
    const current = driver();
    for (const tunnel of before) {
      clearTimeout(tunnel.retry?.timer);
      tunnel.service.close();
      if (current) this.#giveBack(current, tunnel.id);
    }
    for (const tunnel of next) {
      // One that was refused may have been so because of one that is gone now.
      if (!current || !(tunnel.isGivenUp || ruled.has(tunnel))) continue;
      // Until the server has its rules: it goes on under the same id, and its port stays open.
      tunnel.isOpen = false;
      this.#request(current, tunnel);
    }
    for (const tunnel of added) {
      await this.#recallPort(tunnel);
      const present = driver();
      if (present && this.#find(tunnel.id) === tunnel) this.#request(present, tunnel);
    }
  }

  /** Asks for all of them, in a new session. */
  requestAll(driver: SessionDriver): void {
    for (const tunnel of this.#tunnels.values()) this.#request(driver, tunnel);
  }

  /** Asks at once for those that wait for their time, and for those that were given up. */
  retryNow(driver: SessionDriver): void {
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.retry || tunnel.isGivenUp) this.#request(driver, tunnel);
    }
  }

  /** Whether the server may say that now: each request has one answer, and what was granted can be taken away once. */
  expects({ type, tunnelId }: TunnelGrantedFrame | TunnelRefusedFrame | TunnelCloseFrame): boolean {
    return this.#answers.take(type, tunnelId);
  }

  granted(tunnelId: number, { addresses: [best = ''] }: TunnelGrantedFrame): void {
    const tunnel = this.#find(tunnelId);
    const { host, port } = parsePublicAddress(best) ?? { host: '', port: undefined };
    if (!tunnel || port === undefined) return;
    const { ports, server } = this.#options;
    tunnel.port = port;
    tunnel.isOpen = true;
    tunnel.publicHost = host || server.host;
    tunnel.backoff = tunnel.backoff.start();
    // One that was asked for by number is no wish for the next start without it, and must not displace the usual one.
    if (tunnel.options.port) return;
    ports
      ?.remember(formatServerAddress(server), tunnel.name, port)
      .catch((error: unknown) => this.#handlers.onWarning(error));
  }

  /** Whether this is one of them, and not one that was given back. */
  has(tunnelId: number): boolean {
    return this.#find(tunnelId) !== undefined;
  }

  /** The server does not give this one, or takes it away. */
  refused(driver: SessionDriver, tunnelId: number, error: TunnelError): void {
    const tunnel = this.#find(tunnelId);
    if (!tunnel) return;
    tunnel.isOpen = false;
    tunnel.refused.tunnelClosed();
    const { disposition } = ERRORS[error.code];
    const hadIt = tunnel.port !== undefined;
    if (tunnel.rememberedPort !== undefined && !hadIt && disposition !== 'retry') {
      // Somebody else has it by now, or it is out of the server's range: any other will do.
      tunnel.rememberedPort = undefined;
      this.#request(driver, tunnel);
      return;
    }
    if (error.code === 'port-not-allowed' && hadIt && !tunnel.options.port) {
      // It may not have this one any more, which nobody asked for by number: any other will do. Not at once, or a server that
      // grants and takes away would have the client ask as fast as the link is.
      tunnel.port = undefined;
      tunnel.rememberedPort = undefined;
      this.#requestLater(driver, tunnel);
      return;
    }
    if (disposition === 'fatal' || (disposition === 'fatal-at-start' && !hadIt) || this.#options.reconnect === false) {
      this.#giveUp(tunnel, error);
      return;
    }
    const { attempt, delayMs } = this.#requestLater(driver, tunnel);
    const isAwaited = error.code === 'port-in-use' && !tunnel.options.port;
    this.#handlers.onRetrying(isAwaited ? withAwaitedPort(error) : error, attempt, delayMs);
  }

  /** Gives all back, in the session that goes on for a moment. */
  closeAll(driver: SessionDriver): void {
    for (const id of this.#tunnels.keys()) this.#giveBack(driver, id);
  }

  /** The session is gone, and with it all of them. */
  lost(): void {
    this.#answers.clear();
    for (const tunnel of this.#tunnels.values()) {
      tunnel.isOpen = false;
      tunnel.isGivenUp = false;
      tunnel.refused.tunnelClosed();
      clearTimeout(tunnel.retry?.timer);
      tunnel.retry = undefined;
    }
  }

  /** Ends what goes on for the local services. */
  dispose(): void {
    this.lost();
    for (const { service } of this.#tunnels.values()) service.close();
  }

  #find(tunnelId: number): Tunnel | undefined {
    return this.#tunnels.get(tunnelId);
  }

  #make(options: TunnelOptions): Tunnel {
    this.#lastId += 1;
    return {
      id: this.#lastId,
      options,
      service: this.#serve(options),
      name: nameOf(options),
      rules: visitorRules(options),
      refused: new RefusedTally(),
      port: undefined,
      rememberedPort: undefined,
      isOpen: false,
      publicHost: '',
      backoff: new Backoff(this.#options.maxReconnectDelayMs),
      retry: undefined,
      isGivenUp: false,
    };
  }

  #serve(options: TunnelOptions): VisitorService {
    for (const service of this.#services) if (service.isOver) this.#services.delete(service);
    const service = this.#makeService(options);
    this.#services.add(service);
    return service;
  }

  #makeService({ target, idleTimeoutMs, localWaitMs = this.#options.localWaitMs ?? 0 }: TunnelOptions): VisitorService {
    if (isInProcess(target)) {
      const onFailure = (error: TunnelError): void => this.#handlers.onWarning(error);
      return new InProcessService({ target, idleTimeoutMs, onFailure });
    }
    return new LocalService({
      target,
      waitMs: localWaitMs,
      idleTimeoutMs,
      onHealth: (report) => this.#handlers.onHealth(target, report),
      onLoop: (error) => this.#handlers.onWarning(error),
    });
  }

  /** The same public port in front of another service, or of the same one with other options. */
  #retarget(tunnel: Tunnel, options: TunnelOptions): void {
    tunnel.service.close();
    tunnel.options = options;
    tunnel.rules = visitorRules(options);
    tunnel.service = this.#serve(options);
  }

  #giveUp(tunnel: Tunnel, error: TunnelError): void {
    tunnel.isGivenUp = true;
    const isLast = [...this.#tunnels.values()].every(({ isGivenUp }) => isGivenUp);
    if (this.#options.outlivesTunnels !== true || isLast) this.#handlers.onFatal(error);
    else this.#handlers.onGivenUp(tunnel.name, error);
  }

  async #recallPort(tunnel: Tunnel): Promise<void> {
    const { ports, server } = this.#options;
    if (!ports || tunnel.options.port) return;
    try {
      const { port, damage } = await ports.recall(formatServerAddress(server), tunnel.name);
      tunnel.rememberedPort = port;
      if (damage) this.#handlers.onWarning(damage);
    } catch (error) {
      this.#handlers.onWarning(error);
    }
  }

  #giveBack(driver: SessionDriver, tunnelId: number): void {
    driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId, code: 'stopped' });
    this.#answers.givenBack(tunnelId);
  }

  #requestLater(driver: SessionDriver, tunnel: Tunnel): { readonly attempt: number; readonly delayMs: number } {
    const delayMs = tunnel.backoff.delayMs(Math.random);
    const attempt = tunnel.backoff.count + 1;
    tunnel.backoff = tunnel.backoff.next();
    clearTimeout(tunnel.retry?.timer);
    const timer = setTimeout(() => this.#request(driver, tunnel), delayMs);
    tunnel.retry = { attempt, dueAt: monotonicNow() + delayMs, timer };
    return { attempt, delayMs };
  }

  #request(driver: SessionDriver, tunnel: Tunnel): void {
    clearTimeout(tunnel.retry?.timer);
    tunnel.retry = undefined;
    tunnel.isGivenUp = false;
    this.#answers.requested(tunnel.id);
    driver.sendTunnelFrame({
      type: 'tunnel-request',
      tunnelId: tunnel.id,
      kind: ENDPOINT_KIND.tcp,
      name: String(tunnel.port || tunnel.options.port || tunnel.rememberedPort || ''),
      label: tunnel.name,
      terms: tunnel.rules,
    });
  }
}

function requireCount({ length }: readonly TunnelOptions[]): void {
  if (length > TUNNEL_LIMIT) {
    throw new TunnelError('tunnel-limit', { detail: `a session has at most ${TUNNEL_LIMIT}, and not ${length}` });
  }
}

/** For a port that nobody asked for by number: that it is waited for keeps the public address. */
function withAwaitedPort({ code, detail, cause }: TunnelError): TunnelError {
  const hint =
    'it is waited for, so that the public address stays the same; start this client again to get another one';
  return new TunnelError(code, { detail, hint, cause });
}

function urlOf({ publicHost, port = 0 }: Pick<Tunnel, 'publicHost' | 'port'>): string {
  return `tcp://${publicHost.includes(':') ? `[${publicHost}]` : publicHost}:${port}`;
}

function nameOf({ name, target }: TunnelOptions): string {
  if (name !== undefined) return name;
  return isInProcess(target) ? IN_PROCESS.host : formatHostAndPort(target.host, target.port);
}

/** Whether a server could not tell them apart. */
function isSameRequest(a: TunnelOptions, b: TunnelOptions): boolean {
  return nameOf(a) === nameOf(b) && (a.port ?? 0) === (b.port ?? 0);
}

function byId(tunnels: readonly Tunnel[]): ReadonlyMap<number, Tunnel> {
  return new Map(tunnels.map((tunnel) => [tunnel.id, tunnel]));
}
