import type { TunnelError } from '@tunnel/shared';
import type { Traffic } from '@tunnel/shared/node';
import type { ClientEvents, OpenTunnel } from '../events.ts';
import { causeOf } from './causes.ts';
import { UplinkRecord } from './uplink-record.ts';
import type { UplinkSession } from './uplink-session.ts';

/** What an uplink tells by itself; the rest is told by services and by the client around it. */
type UplinkEvents = Omit<ClientEvents, 'service' | 'visitors-refused' | 'stopped'>;

export type TellUplinkEvent = <K extends keyof UplinkEvents>(name: K, event: UplinkEvents[K]) => void;

/** Tells what happens to an uplink, each thing once, and keeps what its status says about the past. */
export class UplinkReport {
  readonly tell: TellUplinkEvent;
  readonly record = new UplinkRecord();
  /** `ready` was said and still holds. */
  #isReady = false;
  /** What the next `ready` has to say. */
  #lostStreams = 0;
  #pinnedAt: string | undefined;

  constructor(tell: TellUplinkEvent) {
    this.tell = tell;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** All tunnels are open on a link to the server with this key. */
  ready(session: UplinkSession, sessionId: string, serverKey: Uint8Array, tunnels: readonly OpenTunnel[]): void {
    const lostStreams = this.#lostStreams;
    const pinnedAt = this.#pinnedAt;
    this.#isReady = true;
    this.#lostStreams = 0;
    this.#pinnedAt = undefined;
    this.record.changed(true);
    this.tell('ready', {
      tunnels,
      sessionId,
      resumed: session.isResumed,
      lostStreams,
      serverKey: Buffer.from(serverKey).toString('base64url'),
      pinnedAt,
    });
  }

  /** `ready` is to be said again, once that is true: the tunnels have become others. */
  tunnelsChanged(areAllOpen: boolean): void {
    this.#isReady = false;
    if (!areAllOpen) this.record.changed(false);
  }

  /** The server refused a tunnel, or took it away. */
  tunnelClosed(): void {
    this.#isReady = false;
    this.record.changed(false);
  }

  /** A tunnel was refused for good, and others go on. */
  tunnelGivenUp(name: string, error: TunnelError): void {
    this.record.failed(error);
    const { code, message, hint } = error;
    this.tell('warning', { code, reason: `the tunnel ${name} stays closed: ${message}`, hint });
  }

  /** The server's key was pinned there. */
  keyPinned(path: string | undefined): void {
    this.#pinnedAt = path;
  }

  /** Once: where a doubtful link was replaced in vain it was told already. */
  disconnected(error: TunnelError): void {
    if (!this.#isReady) return;
    this.#isReady = false;
    this.record.changed(false);
    this.record.failed(error);
    this.tell('disconnected', causeOf(error));
  }

  retrying(
    error: TunnelError,
    { attempt, delayMs, downMs }: Readonly<Record<'attempt' | 'delayMs' | 'downMs', number>>,
  ): void {
    this.record.failed(error);
    this.tell('retrying', {
      ...causeOf(error),
      attempt,
      delayMs: Math.round(delayMs),
      hint: error.hint,
      downMs: Math.round(downMs),
      since: this.record.since,
    });
  }

  sessionEnded(sessionId: string | undefined, lostStreams: number, traffic: Traffic): void {
    this.#lostStreams += lostStreams;
    this.record.sessionEnded(lostStreams, traffic);
    if (sessionId !== undefined) this.tell('session-ended', { sessionId, lostStreams });
  }

  warn(error: TunnelError): void {
    this.tell('warning', { ...causeOf(error), hint: error.hint });
  }
}
