import type { TunnelError } from '@tunnel/shared';
import { monotonicNow, type Traffic } from '@tunnel/shared/node';
import type { ClientStatus, NextAttempt } from '../status.ts';
import type { DueAttempt } from './retry-wait.ts';

/** What an uplink keeps about its past, for its status. */
export class UplinkRecord {
  readonly #traffic: Traffic = { receivedBytes: 0, sentBytes: 0 };
  #since = new Date();
  /** Since when there is no link, in monotonic ms. */
  #downSince = 0;
  #isReady = false;
  #wasReady = false;
  #reconnects = 0;
  #resumedStreams = 0;
  #lostStreams = 0;
  #lastError: ClientStatus['lastError'];

  /** As in the status. */
  get since(): string {
    return this.#since.toISOString();
  }

  /** All its tunnels were open once. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** How long there has been no link, in ms. */
  get downMs(): number {
    return monotonicNow() - this.#downSince;
  }

  started(): void {
    this.#since = new Date();
    this.#downSince = monotonicNow();
  }

  /** A link that the server had accepted is gone. */
  linkLost(): void {
    this.#downSince = monotonicNow();
  }

  /** It is ready, or not any more. */
  changed(isReady: boolean): void {
    if (isReady === this.#isReady) return;
    this.#isReady = isReady;
    this.#wasReady ||= isReady;
    this.#since = new Date();
  }

  /** An attempt failed or a link ended. */
  failed({ code, message, hint }: TunnelError): void {
    this.#lastError = { code, reason: message, hint, at: new Date().toISOString() };
  }

  /** A new link was accepted; `streams` go on over it. */
  accepted(streams: number): void {
    // A link that replaces another one before that breaks is no reconnect.
    if (this.#isReady || !this.#wasReady) return;
    this.#reconnects += 1;
    this.#resumedStreams += streams;
  }

  sessionEnded(lostStreams: number, { receivedBytes, sentBytes }: Traffic): void {
    this.#lostStreams += lostStreams;
    this.#traffic.receivedBytes += receivedBytes;
    this.#traffic.sentBytes += sentBytes;
  }

  /** Its part of the status. `traffic` is that of the present session. */
  status(
    traffic: Traffic | undefined,
  ): Pick<
    ClientStatus,
    'since' | 'bytesIn' | 'bytesOut' | 'reconnects' | 'resumedStreams' | 'lostStreams' | 'lastError'
  > {
    return {
      since: this.since,
      bytesIn: this.#traffic.receivedBytes + (traffic?.receivedBytes ?? 0),
      bytesOut: this.#traffic.sentBytes + (traffic?.sentBytes ?? 0),
      reconnects: this.#reconnects,
      resumedStreams: this.#resumedStreams,
      lostStreams: this.#lostStreams,
      lastError: this.#lastError,
    };
  }
}

/** The earliest of them, as a status tells it. */
export function nextOf(attempts: readonly DueAttempt[]): NextAttempt | undefined {
  let next: DueAttempt | undefined;
  for (const attempt of attempts) if (next === undefined || attempt.dueAt < next.dueAt) next = attempt;
  if (next === undefined) return undefined;
  const inMs = Math.max(0, Math.round(next.dueAt - monotonicNow()));
  return { attempt: next.attempt, inMs, at: new Date(Date.now() + inMs).toISOString() };
}
