import {
  type ErrorCode,
  type HeartbeatSettings,
  type MemoryBudget,
  type ResumePoint,
  RESUME_TOKEN_BYTES,
  SESSION_ID_BYTES,
  TunnelError,
} from '@tunnel/shared';
import { constantTimeEqual, type DriverEvent, encodeKey, randomBytes, SessionDriver } from '@tunnel/shared/node';
import type { Access } from '../access/access.ts';
import type { Endpoints } from '../endpoints/endpoints.ts';
import type { ServerEvents, SessionInfo } from '../events.ts';
import type { ProvenLink } from '../links/link-acceptor.ts';
import type { FairTurns } from '../shares/fair-turns.ts';
import { SessionTunnels } from './tunnels.ts';

/** What a visitor said last has this long to go out before a session that is drained ends, in ms. */
const LAST_BYTES_MS = 20;

export interface ServerSessionOptions {
  readonly heartbeat: HeartbeatSettings;
  readonly resumeWindowMs: number;
  readonly agent: string;
  readonly access: Access;
  readonly endpoints: Endpoints;
  readonly budget: MemoryBudget;
  /** Shared by all sessions of the server. */
  readonly turns: FairTurns;
  readonly emit: <K extends keyof ServerEvents>(name: K, event: ServerEvents[K]) => void;
  /** The session is over. */
  readonly onEnd: (session: ServerSession) => void;
}

type State =
  | { readonly kind: 'linked' }
  /** Its client may come back until then. */
  | { readonly kind: 'waiting'; readonly expiry: NodeJS.Timeout }
  | { readonly kind: 'over' };

/** One client's session on the server: its links one after another. What the client asks for is up to its tunnels. */
export class ServerSession {
  readonly #options: ServerSessionOptions;
  readonly #driver: SessionDriver;
  readonly #tunnels: SessionTunnels;
  readonly #id = randomBytes(SESSION_ID_BYTES);
  readonly #token = randomBytes(RESUME_TOKEN_BYTES);
  readonly #clientKey: Uint8Array;
  readonly #instance: Uint8Array;
  #state: State = { kind: 'linked' };
  #linkNumber = 0;
  #knowsSecret = false;
  #isLocal = false;
  /** It ends once its last visitor is gone. */
  #isDraining = false;
  #drainTimer: NodeJS.Timeout | undefined;

  constructor(options: ServerSessionOptions, link: ProvenLink) {
    this.#options = options;
    this.#clientKey = link.clientKey;
    this.#instance = link.hello.instance;
    this.#driver = new SessionDriver(
      { role: 'server', budget: options.budget },
      {
        onEvent: (event) => this.#onEvent(event),
        onLinkEnd: (error) => this.#onLinkEnd(error),
        onBroken: (error) => this.#onBroken(error),
        onStreamClosed: (streamId) => this.#onStreamClosed(streamId),
      },
    );
    const { access, endpoints, turns, emit } = options;
    const { info } = this;
    this.#tunnels = new SessionTunnels({
      info,
      driver: this.#driver,
      endpoints,
      turns,
      emit,
      // Keys that are not listed cost nothing to make.
      shareOf: () => (access.entryOf(info.clientKey) ? info.clientKey : link.source),
      isLocal: () => this.#isLocal,
      onBroken: (error) => this.#onBroken(error),
      onTakenOver: (code) => this.end(code),
    });
  }

  get id(): string {
    return Buffer.from(this.#id).toString('hex');
  }

  get hasLink(): boolean {
    return this.#driver.hasLink;
  }

  get hasVisitors(): boolean {
    return this.#driver.pipeCount > 0;
  }

  /** Visitors that were let in since the session began. */
  get visitorCount(): number {
    return this.#tunnels.visitorCount;
  }

  /** Its streams, its traffic and its link, as they are now. */
  get driver(): Pick<SessionDriver, 'pipeCount' | 'traffic' | 'hasLink' | 'logBytes' | 'roundTripMs'> {
    return this.#driver;
  }

  get linkNumber(): number {
    return this.#linkNumber;
  }

  get info(): SessionInfo {
    return { sessionId: this.id, clientKey: encodeKey(this.#clientKey) };
  }

  /** Whether a client that says this may carry the session on: same key, same process, the token, and a point that fits. */
  admits({ hello, clientKey }: ProvenLink): boolean {
    const { resume } = hello;
    return (
      resume !== undefined &&
      constantTimeEqual(clientKey, this.#clientKey) &&
      constantTimeEqual(hello.instance, this.#instance) &&
      constantTimeEqual(resume.token, this.#token) &&
      this.#driver.canResumeFrom(resume)
    );
  }

  /** The session's first link. */
  begin(link: ProvenLink): void {
    this.#carry(link, { received: 0, next: 1 });
    const comment = this.#options.access.entryOf(this.info.clientKey)?.comment;
    this.#options.emit('client-connected', {
      ...this.info,
      ...(comment !== undefined && { comment }),
      address: link.address,
      handshakeMs: link.handshakeMs,
      agent: link.hello.agent,
    });
  }

  /** A newer link takes over, however alive the old one seems. `admits` must hold. */
  carryOn(link: ProvenLink, point: ResumePoint): void {
    this.#driver.detach();
    this.#become({ kind: 'linked' });
    this.#carry(link, point);
    this.#tunnels.relinked();
    const { address, handshakeMs } = link;
    this.#options.emit('client-resumed', { ...this.info, address, handshakeMs });
  }

  /** Tells the client to come back later, and takes no more visitors. The session ends once the last one is gone. */
  drain(retryAfterMs: number, spreadMs: number, graceMs: number): void {
    this.#isDraining = true;
    this.#tunnels.drain();
    this.#driver.sendNotice({ type: 'drain', retryAfterMs, spreadMs, graceMs });
    this.#endIfDrained();
  }

  /** Ends the session: says so if there is a link, gives its endpoints back, resets the visitors. */
  end(code: ErrorCode): void {
    if (this.#state.kind === 'over') return;
    this.#driver.sendNotice({ type: 'goodbye', code });
    this.#driver.close(1000, code);
    this.#finish(code);
  }

  /** Ends it if the client is not admitted any more, and the tunnels that it may not have any more. */
  review(): void {
    if (this.#options.access.admits(this.info.clientKey, this.#knowsSecret)) {
      this.#tunnels.review();
      return;
    }
    this.#emitEnded('key-refused', 'its key is no longer authorized');
    this.end('key-refused');
  }

  /** The endpoint with this name is reached under other addresses from here on. */
  moved(name: string): void {
    this.#tunnels.moved(name);
  }

  #carry({ records, hello, features, knowsSecret, isLocal, roundTripMs }: ProvenLink, point: ResumePoint): void {
    this.#linkNumber = hello.linkNumber;
    this.#knowsSecret = knowsSecret;
    this.#isLocal = isLocal;
    this.#driver.acceptLink(
      records,
      this.#options.heartbeat,
      roundTripMs,
      {
        ...point,
        heartbeat: { intervalMs: hello.heartbeatIntervalMs, timeoutMs: hello.heartbeatTimeoutMs },
        firstCreditBytes: hello.firstCreditBytes,
        firstCreditTotalBytes: hello.firstCreditTotalBytes,
        features,
      },
      {
        sessionId: this.#id,
        token: this.#token,
        resumeWindowMs: this.#options.resumeWindowMs,
        agent: this.#options.agent,
      },
    );
  }

  #onLinkEnd(error: TunnelError): void {
    const { resumeWindowMs, emit } = this.#options;
    const ended = resumeWindowMs === 0;
    emit('client-disconnected', { ...this.info, code: error.code, reason: error.message, ended });
    if (ended) {
      this.#finish('session-lost');
      return;
    }
    const expiry = setTimeout(() => {
      emit('client-expired', { ...this.info, lostStreams: this.#driver.pipeCount });
      this.#finish('session-expired');
    }, resumeWindowMs);
    this.#become({ kind: 'waiting', expiry });
  }

  #onBroken({ code, message }: TunnelError): void {
    this.#emitEnded(code, message);
    this.end(code);
  }

  #onEvent(event: DriverEvent): void {
    switch (event.type) {
      case 'tunnel-request':
        this.#tunnels.request(event);
        return;
      case 'tunnel-close':
        this.#tunnels.giveBack(event.tunnelId, event.code);
        return;
      case 'goodbye':
        this.#emitEnded('stopped', 'the client ended its session');
        this.#finish('stopped');
        return;
      default:
    }
  }

  #onStreamClosed(streamId: number): void {
    this.#tunnels.streamClosed(streamId);
    this.#endIfDrained();
  }

  /** Not within whatever closed the last stream, nor before the announcement. */
  #endIfDrained(): void {
    if (!this.#isDraining || this.hasVisitors || this.#state.kind === 'over') return;
    this.#drainTimer ??= setTimeout(() => this.end('server-stopped'), LAST_BYTES_MS);
  }

  #emitEnded(code: ErrorCode, reason: string): void {
    this.#options.emit('client-disconnected', { ...this.info, code, reason, ended: true });
  }

  #finish(code: ErrorCode): void {
    if (this.#state.kind === 'over') return;
    this.#become({ kind: 'over' });
    clearTimeout(this.#drainTimer);
    this.#tunnels.end(code);
    this.#driver.dispose(code);
    this.#options.onEnd(this);
  }

  #become(state: State): void {
    if (this.#state.kind === 'waiting') clearTimeout(this.#state.expiry);
    this.#state = state;
  }
}
