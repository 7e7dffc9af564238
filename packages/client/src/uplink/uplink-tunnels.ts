import { isDeepStrictEqual } from 'node:util';
import { Backoff, kindOf, TunnelError } from '@tunnel/shared';
import { monotonicNow, type SessionDriver } from '@tunnel/shared/node';
import type { OpenTunnel, RefusedCounts } from '../events.ts';
import type { TunnelStatus } from '../status.ts';
import type { DueAttempt } from './retry-wait.ts';
import { RefusedTally } from '../tunnels/refused-tally.ts';
import type { ClientTunnel, TunnelChanges, TunnelSet } from '../tunnels/tunnel-set.ts';
import { asError } from './establish-link.ts';
import { normalHostName } from '../tunnels/host-name.ts';
import { TunnelAnswers } from '../tunnels/tunnel-answers.ts';
import {
  type AddressesFrame,
  type Grant,
  placeOf,
  readGrant,
  type TunnelFrame,
  tunnelRequest,
} from './tunnel-frames.ts';
import type { UplinkOptions } from './uplink-options.ts';

type TunnelState =
  /** There is no session, or the tunnel is not to be asked for in it yet. */
  | { readonly kind: 'unasked' }
  | { readonly kind: 'asked' }
  | { readonly kind: 'open' }
  /** The server refused it for now. */
  | { readonly kind: 'waiting'; readonly due: DueAttempt; readonly timer: NodeJS.Timeout }
  /** The server refused it for good in this session, and others go on. */
  | { readonly kind: 'given-up' };

/** A tunnel as this uplink's server has it. What outlives a session is what is asked for in the next one. */
interface UplinkTunnel {
  readonly tunnel: ClientTunnel;
  readonly refused: RefusedTally;
  state: TunnelState;
  /** The last one; it is asked for again. */
  grant: Grant | undefined;
  /** The port that an earlier process had, until the server said that it is somebody else's. */
  wishedPort: number | undefined;
  backoff: Backoff;
}

/** Sends what concerns tunnels to the server. */
export type TunnelSender = Pick<SessionDriver, 'sendTunnelFrame'>;

/** What a visitor of a tunnel has to do with. */
export interface VisitedTunnel {
  readonly tunnel: ClientTunnel;
  readonly publicPort: number;
  /** The name that the server granted; empty for a port. */
  readonly publicHost: string;
}

type UplinkTunnelsOptions = Pick<UplinkOptions, 'server' | 'reconnect' | 'outlivesTunnels' | 'maxReconnectDelayMs'>;

export interface UplinkTunnelsHandlers {
  /** The server granted one, or gave one up that the others need not wait for. */
  onProgress(): void;
  /** The server refused one, or took it away. */
  onClosed(): void;
  /** An open one has other addresses. */
  onMoved(): void;
  /** One is asked for again after a while. */
  onRetrying(error: TunnelError, attempt: number, delayMs: number): void;
  /** One was refused for good, and that is the end. */
  onFatal(error: TunnelError): void;
  /** One was refused for good, and others go on. */
  onGivenUp(name: string, error: TunnelError): void;
  /** The server keeps more visitors out of this one. */
  onVisitorsRefused(tunnel: ClientTunnel): void;
}

/** The tunnels of an uplink: asks for them in each session, and again where one is refused for now. */
export class UplinkTunnels {
  readonly #set: TunnelSet;
  readonly #options: UplinkTunnelsOptions;
  readonly #handlers: UplinkTunnelsHandlers;
  readonly #tunnels = new Map<number, UplinkTunnel>();
  readonly #answers = new TunnelAnswers();
  /** Of the session that asks for them; undefined between sessions, and once all were given back. */
  #driver: TunnelSender | undefined;

  constructor(set: TunnelSet, options: UplinkTunnelsOptions, handlers: UplinkTunnelsHandlers) {
    this.#set = set;
    this.#options = options;
    this.#handlers = handlers;
    for (const tunnel of set.all) this.#add(tunnel);
  }

  /** In the order of the options. */
  get #inOrder(): readonly UplinkTunnel[] {
    return this.#set.all.flatMap(({ id }) => this.#tunnels.get(id) ?? []);
  }

  /** All that are to be open are; those that were refused for good do not count. */
  get areAllOpen(): boolean {
    return this.#inOrder.every(({ state: { kind } }) => kind === 'open' || kind === 'given-up');
  }

  /** Attempts for single tunnels that wait for their time. */
  get dueAttempts(): readonly DueAttempt[] {
    return this.#inOrder.flatMap(({ state }) => (state.kind === 'waiting' ? state.due : []));
  }

  get open(): readonly OpenTunnel[] {
    return this.#inOrder.flatMap(({ tunnel: { options, service }, state, grant }) =>
      state.kind === 'open' && grant !== undefined
        ? { name: options.name, target: service.target, ...placeOf(grant, options) }
        : [],
    );
  }

  get status(): readonly TunnelStatus[] {
    return this.#inOrder.map(({ tunnel, state, grant, refused }) => ({
      name: tunnel.options.name,
      target: tunnel.service.target,
      url: undefined,
      port: undefined,
      ...(grant && placeOf(grant, tunnel.options)),
      isOpen: state.kind === 'open',
      refused: refused.total.denied + refused.total.overLimit,
      idle: tunnel.idle.count,
    }));
  }

  /** Visitors of this one that the server kept out since the start. */
  refusedBy({ id }: ClientTunnel): RefusedCounts {
    return this.#tunnels.get(id)?.refused.total ?? { denied: 0, overLimit: 0 };
  }

  visited(tunnelId: number): VisitedTunnel | undefined {
    const { tunnel, grant } = this.#tunnels.get(tunnelId) ?? {};
    if (!tunnel) return undefined;
    return { tunnel, publicPort: grant?.addresses[0]?.port ?? 0, publicHost: grant?.name ?? '' };
  }

  /** The server kept visitors of this one out: so many since it opened it. */
  visitorsRefused(tunnelId: number, counts: RefusedCounts): void {
    const entry = this.#tunnels.get(tunnelId);
    if (entry?.refused.told(counts)) this.#handlers.onVisitorsRefused(entry.tunnel);
  }

  // ── sessions ──

  /** Asks for all of them, in a new session. */
  begin(driver: TunnelSender): void {
    this.#driver = driver;
    for (const entry of this.#inOrder) this.#request(driver, entry);
  }

  /** Gives all back, in the session that goes on for a moment. */
  giveAllBack(): void {
    for (const entry of this.#tunnels.values()) this.#giveBack(entry);
    this.#driver = undefined;
  }

  /** The session is gone, and with it all of them. */
  lost(): void {
    this.#driver = undefined;
    this.#answers.clear();
    for (const entry of this.#tunnels.values()) {
      entry.refused.tunnelClosed();
      become(entry, { kind: 'unasked' });
    }
  }

  /** Asks at once for those that wait for their time, and for those that were given up. */
  retryNow(): void {
    const driver = this.#driver;
    if (!driver) return;
    for (const entry of this.#inOrder) {
      if (entry.state.kind === 'waiting' || entry.state.kind === 'given-up') this.#request(driver, entry);
    }
  }

  // ── changes of the set ──

  /** The set has become another one. What was added is asked for by `ask`. */
  change({ removed, ruled, added }: TunnelChanges): void {
    for (const { id } of removed) {
      const entry = this.#tunnels.get(id);
      if (!entry) continue;
      this.#giveBack(entry);
      this.#tunnels.delete(id);
    }
    for (const tunnel of added) this.#add(tunnel);
    const driver = this.#driver;
    if (!driver) return;
    for (const entry of this.#inOrder) {
      // One that was refused may have been so because of one that is gone now. Of one with other rules nothing is open until
      // the server has them: it goes on under the same id, and its port stays open.
      if (entry.state.kind === 'given-up' || ruled.has(entry.tunnel)) this.#request(driver, entry);
    }
  }

  /** Asks for one that was added, unless a session that began meanwhile did. */
  ask({ id, rememberedPort }: ClientTunnel): void {
    const entry = this.#tunnels.get(id);
    if (entry?.state.kind !== 'unasked') return;
    entry.wishedPort = rememberedPort;
    if (this.#driver) this.#request(this.#driver, entry);
  }

  /** The ports that an earlier process had were looked up. */
  recalled(): void {
    for (const entry of this.#tunnels.values()) entry.wishedPort = entry.tunnel.rememberedPort;
  }

  // ── what the server says ──

  /** False where it may not say that: each request has one answer, and what was granted can be taken away once. */
  take(frame: TunnelFrame): boolean {
    if (!this.#answers.take(frame.type, frame.tunnelId)) return false;
    const entry = this.#tunnels.get(frame.tunnelId);
    // Given back, which crossed with it.
    if (!entry || !this.#driver) return true;
    if (frame.type === 'tunnel-granted') {
      this.#granted(entry, readGrant(frame, this.#options.server.host));
      return true;
    }
    this.#handlers.onClosed();
    const detail = frame.type === 'tunnel-refused' ? frame.detail : '';
    const otherwise = entry.tunnel.options.http === undefined ? 'port-unavailable' : 'host-unavailable';
    this.#refused(this.#driver, entry, asError({ code: frame.code, detail, retryAfterMs: 0 }, otherwise));
    return true;
  }

  /** It may have crossed with whatever ended the tunnel. */
  takeAddresses({ tunnelId, addresses }: AddressesFrame): void {
    const entry = this.#tunnels.get(tunnelId);
    if (!entry?.grant || !this.#driver) return;
    const grant = readGrant({ name: entry.grant.name, addresses }, this.#options.server.host);
    if (isDeepStrictEqual(grant, entry.grant)) return;
    entry.grant = grant;
    if (entry.state.kind === 'open') this.#handlers.onMoved();
  }

  #granted(entry: UplinkTunnel, grant: Grant): void {
    entry.grant = grant;
    entry.backoff = entry.backoff.start();
    become(entry, { kind: 'open' });
    this.#set.granted(entry.tunnel, grant.addresses[0]?.port ?? 0);
    this.#handlers.onProgress();
  }

  #refused(driver: TunnelSender, entry: UplinkTunnel, error: TunnelError): void {
    entry.refused.tunnelClosed();
    const { disposition } = kindOf(error.code);
    const wantsThis = wantedName(entry.tunnel) !== '';
    const hadIt = entry.grant !== undefined;
    if (entry.wishedPort !== undefined && !hadIt && disposition !== 'retry') {
      // Somebody else has it by now, or it is out of the server's range: any other will do.
      entry.wishedPort = undefined;
      this.#request(driver, entry);
      return;
    }
    if ((error.code === 'port-not-allowed' || error.code === 'host-not-allowed') && hadIt && !wantsThis) {
      // It may not have this one any more, which nobody asked for by name: any other will do. Not at once, or a server that
      // grants and takes away would have the client ask as fast as the link is.
      entry.grant = undefined;
      entry.wishedPort = undefined;
      this.#requestLater(driver, entry);
      return;
    }
    const isFatal = disposition === 'fatal' || (disposition === 'fatal-at-start' && !hadIt);
    if (isFatal || this.#options.reconnect === false) {
      this.#giveUp(entry, error);
      return;
    }
    const { attempt, delayMs } = this.#requestLater(driver, entry);
    const isAwaited = (error.code === 'port-in-use' || error.code === 'host-in-use') && !wantsThis;
    this.#handlers.onRetrying(isAwaited ? withAwaitedPort(error) : error, attempt, delayMs);
  }

  #giveUp(entry: UplinkTunnel, error: TunnelError): void {
    become(entry, { kind: 'given-up' });
    const isLast = this.#inOrder.every(({ state }) => state.kind === 'given-up');
    if (this.#options.outlivesTunnels !== true || isLast) {
      this.#handlers.onFatal(error);
      return;
    }
    this.#handlers.onGivenUp(entry.tunnel.name, error);
    this.#handlers.onProgress();
  }

  // ── what it says to the server ──

  #add(tunnel: ClientTunnel): void {
    this.#tunnels.set(tunnel.id, {
      tunnel,
      refused: new RefusedTally(),
      state: { kind: 'unasked' },
      grant: undefined,
      wishedPort: tunnel.rememberedPort,
      backoff: new Backoff(this.#options.maxReconnectDelayMs),
    });
  }

  #request(driver: TunnelSender, entry: UplinkTunnel): void {
    const { tunnel, grant, wishedPort } = entry;
    become(entry, { kind: 'asked' });
    this.#answers.requested(tunnel.id);
    const wanted = grant?.name ?? (wantedName(tunnel) || String(wishedPort ?? ''));
    driver.sendTunnelFrame(tunnelRequest(tunnel, wanted));
  }

  #requestLater(driver: TunnelSender, entry: UplinkTunnel): { readonly attempt: number; readonly delayMs: number } {
    const delayMs = entry.backoff.delayMs(Math.random);
    const attempt = entry.backoff.count + 1;
    entry.backoff = entry.backoff.next();
    const timer = setTimeout(() => this.#request(driver, entry), delayMs);
    become(entry, { kind: 'waiting', due: { attempt, dueAt: monotonicNow() + delayMs }, timer });
    return { attempt, delayMs };
  }

  #giveBack(entry: UplinkTunnel): void {
    become(entry, { kind: 'unasked' });
    if (!this.#driver) return;
    this.#driver.sendTunnelFrame({ type: 'tunnel-close', tunnelId: entry.tunnel.id, code: 'stopped' });
    this.#answers.givenBack(entry.tunnel.id);
  }
}

function become(entry: UplinkTunnel, state: TunnelState): void {
  if (entry.state.kind === 'waiting') clearTimeout(entry.state.timer);
  entry.state = state;
}

/** The name that its options ask for; empty for any. */
function wantedName({ options: { http, port } }: ClientTunnel): string {
  return http === undefined ? String(port || '') : normalHostName(http.host ?? '');
}

/** For an address that nobody asked for by name: that it is waited for keeps it. */
function withAwaitedPort({ code, detail, cause }: TunnelError): TunnelError {
  return new TunnelError(code, { detail, hint: { id: 'port-awaited' }, cause });
}
