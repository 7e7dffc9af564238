import { isDeepStrictEqual } from 'node:util';
import { AUTH_SALT_BYTES, TUNNEL_LIMIT, TunnelError, type Term } from '@tunnel/shared';
import { randomBytes, type VisitorEnds } from '@tunnel/shared/node';
import type { LocalTarget, PortMemory, TunnelOptions } from '../options.ts';
import { IN_PROCESS, InProcessService, isInProcess } from '../services/in-process-service.ts';
import { LocalService, type LocalServiceOptions } from '../services/local-service.ts';
import { nameOfVisitor } from '../services/proxy-header.ts';
import { formatTarget } from '../services/target.ts';
import type { VisitorService } from '../services/visitor-service.ts';
import { normalHostName } from './host-name.ts';
import { termsOf } from './terms.ts';

/** A tunnel that a client keeps open: what is the same on all its uplinks. */
export interface ClientTunnel {
  /** Not used again in the life of the client. */
  readonly id: number;
  readonly name: string;
  readonly options: TunnelOptions;
  readonly terms: readonly Term[];
  /** Of the digests of its passwords. The same for its whole life, so that what is asked for again is what was asked for. */
  readonly salt: Uint8Array;
  readonly service: VisitorService;
  /** The port that an earlier process had: a wish. */
  readonly rememberedPort: number | undefined;
  /** Visitors that the idle timeout reset, over all services that it had. */
  readonly idle: IdleCount;
}

interface IdleCount {
  count: number;
}

type MutableTunnel = { -readonly [K in keyof ClientTunnel]: ClientTunnel[K] };

/** What `replace` did. */
export interface TunnelChanges {
  readonly removed: readonly ClientTunnel[];
  /** These are to be asked for again, since their visitors are to be chosen by other rules. */
  readonly ruled: ReadonlySet<ClientTunnel>;
  readonly added: readonly ClientTunnel[];
}

export interface TunnelSetOptions {
  readonly tunnels: readonly TunnelOptions[];
  readonly localWaitMs: number | undefined;
  readonly ports: PortMemory | undefined;
  readonly looksAtTargets: boolean | undefined;
  /** As the memory of ports is to know the server. */
  readonly server: string;
}

export interface TunnelSetHandlers {
  onHealth(target: LocalTarget, ...told: Parameters<LocalServiceOptions['onHealth']>): void;
  /** The idle timeout reset one. */
  onVisitorIdle(target: LocalTarget, visitor: string): void;
  onWarning(error: unknown): void;
}

/** The tunnels of a client, over all its uplinks: what they lead to, and which ports they had. */
export class TunnelSet {
  readonly #options: TunnelSetOptions;
  readonly #handlers: TunnelSetHandlers;
  /** In the order of the options. */
  #tunnels: readonly MutableTunnel[];
  #lastId = 0;
  /** Also former ones, whose connections go on. */
  readonly #services = new Set<VisitorService>();
  #looksAtTargets = false;
  #recalled: Promise<void> | undefined;
  /** Whose ports were looked up. A second look would find that this process has them, and leave them alone. */
  readonly #looked = new WeakSet<ClientTunnel>();

  /** Throws `usage` or `tunnel-limit` for tunnels that cannot be. */
  constructor(options: TunnelSetOptions, handlers: TunnelSetHandlers) {
    requireCount(options.tunnels);
    this.#options = options;
    this.#handlers = handlers;
    this.#tunnels = options.tunnels.map((tunnel) => this.#make(tunnel));
  }

  /** In the order of the options. */
  get all(): readonly ClientTunnel[] {
    return this.#tunnels;
  }

  /** There is a link again: what stood still without one was not idle. */
  restartIdleTimeouts(): void {
    for (const service of this.#services) service.restartIdleTimeout();
  }

  /** Looks once at each target, and from here on at those that come. Nothing waits for it. */
  lookAtTargets(): void {
    if (this.#options.looksAtTargets === false) return;
    this.#looksAtTargets = true;
    for (const { service } of this.#tunnels) service.lookAtStart();
  }

  /** Looks up which ports earlier processes had, once. */
  recallPorts(): Promise<void> {
    const recall = async (): Promise<void> => {
      for (const tunnel of this.#tunnels) await this.#recallPort(tunnel);
    };
    return (this.#recalled ??= recall());
  }

  /** The same for one that was added. False where it was removed meanwhile. */
  async recallPortOf(tunnel: ClientTunnel): Promise<boolean> {
    await this.#recallPort(tunnel);
    return this.#tunnels.includes(tunnel);
  }

  /** A server opened this port for it. */
  granted(tunnel: ClientTunnel, port: number): void {
    // One that was asked for by number is no wish for the next start without it, and must not displace the usual one.
    if (tunnel.options.port || tunnel.options.http) return;
    const { ports, server } = this.#options;
    ports?.remember(server, tunnel.name, port).catch((error: unknown) => this.#handlers.onWarning(error));
  }

  /**
   * Makes the tunnels these. One that is as it was is not touched; one with another target or other rules has them for its
   * next visitors. Connections through those that nobody wants any more go on to their end.
   */
  replace(wanted: readonly TunnelOptions[]): TunnelChanges {
    // Throws before anything is changed.
    requireCount(wanted);
    for (const options of wanted) termsOf(options, NO_SALT);
    const removed = [...this.#tunnels];
    const ruled = new Set<ClientTunnel>();
    const added: ClientTunnel[] = [];
    this.#tunnels = wanted.map((options) => {
      const index = removed.findIndex((tunnel) => isSameRequest(tunnel.options, options));
      const [known] = index === -1 ? [] : removed.splice(index, 1);
      if (known) {
        const { terms } = known;
        if (!isDeepStrictEqual(known.options, options)) this.#retarget(known, options);
        if (!isDeepStrictEqual(known.terms, terms)) ruled.add(known);
        return known;
      }
      const tunnel = this.#make(options);
      added.push(tunnel);
      return tunnel;
    });
    for (const { service } of removed) service.close();
    return { removed, ruled, added };
  }

  /** Ends what goes on for the local services. */
  dispose(): void {
    for (const { service } of this.#tunnels) service.close();
  }

  #make(options: TunnelOptions): MutableTunnel {
    this.#lastId += 1;
    const idle = { count: 0 };
    const salt = randomBytes(AUTH_SALT_BYTES);
    return {
      id: this.#lastId,
      name: nameOf(options),
      options,
      terms: termsOf(options, salt),
      salt,
      service: this.#serve(options, idle),
      rememberedPort: undefined,
      idle,
    };
  }

  #serve(options: TunnelOptions, idle: IdleCount): VisitorService {
    for (const service of this.#services) if (service.isOver) this.#services.delete(service);
    const service = this.#makeService(options, idle);
    this.#services.add(service);
    if (this.#looksAtTargets) service.lookAtStart();
    return service;
  }

  #makeService(
    { target, http, idleTimeoutMs, localWaitMs = this.#options.localWaitMs ?? 0 }: TunnelOptions,
    idle: IdleCount,
  ): VisitorService {
    const onIdle = (visitor: VisitorEnds): void => {
      idle.count += 1;
      this.#handlers.onVisitorIdle(isInProcess(target) ? IN_PROCESS : target, nameOfVisitor(visitor));
    };
    if (isInProcess(target)) {
      const onFailure = (error: TunnelError): void => this.#handlers.onWarning(error);
      return new InProcessService({ target, idleTimeoutMs, onFailure, onIdle });
    }
    return new LocalService({
      target,
      isTls: http?.upstream === 'https',
      waitMs: localWaitMs,
      idleTimeoutMs,
      onHealth: (report) => this.#handlers.onHealth(target, report),
      onLoop: (error) => this.#handlers.onWarning(error),
      onIdle,
    });
  }

  /** The same public port in front of another service, or of the same one with other options. */
  #retarget(tunnel: MutableTunnel, options: TunnelOptions): void {
    tunnel.service.close();
    tunnel.options = options;
    tunnel.terms = termsOf(options, tunnel.salt);
    tunnel.service = this.#serve(options, tunnel.idle);
  }

  async #recallPort(tunnel: MutableTunnel): Promise<void> {
    const { ports, server } = this.#options;
    if (!ports || tunnel.options.port || tunnel.options.http || this.#looked.has(tunnel)) return;
    this.#looked.add(tunnel);
    try {
      const { port, damage } = await ports.recall(server, tunnel.name);
      tunnel.rememberedPort = port;
      if (damage) this.#handlers.onWarning(damage);
    } catch (error) {
      this.#handlers.onWarning(error);
    }
  }
}

/** For terms that are only looked at. */
const NO_SALT = new Uint8Array(AUTH_SALT_BYTES);

function requireCount({ length }: readonly TunnelOptions[]): void {
  if (length === 0) throw new TunnelError('usage', { detail: 'a client needs at least one tunnel' });
  if (length > TUNNEL_LIMIT) {
    throw new TunnelError('tunnel-limit', { detail: `a session has at most ${TUNNEL_LIMIT}, not ${length}` });
  }
}

function nameOf({ name, target }: TunnelOptions): string {
  if (name !== undefined) return name;
  return isInProcess(target) ? IN_PROCESS.host : formatTarget(target);
}

/** Whether a server could not tell them apart. */
function isSameRequest(a: TunnelOptions, b: TunnelOptions): boolean {
  return nameOf(a) === nameOf(b) && (a.port ?? 0) === (b.port ?? 0) && hostOf(a) === hostOf(b);
}

/** Undefined for a TCP tunnel. */
function hostOf({ http }: TunnelOptions): string | undefined {
  return http && normalHostName(http.host ?? '');
}
