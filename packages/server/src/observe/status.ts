import type { CertificateStatus } from '../certificates/certificate-store.ts';

/** A snapshot of what a server is doing and what it has carried since its start. */
export interface ServerStatus {
  /** `draining`: it accepts no new clients or visitors, and lets existing ones finish. */
  readonly state: 'new' | 'listening' | 'draining' | 'stopped';
  /** Sessions that currently have a link. */
  readonly linkedSessions: number;
  /** Sessions without a link, whose clients may still come back. */
  readonly waitingSessions: number;
  /** Links whose client is not authenticated yet, including those waiting for their turn. */
  readonly handshakes: number;
  /** Those in use, from files and from authorities. */
  readonly certificates: readonly CertificateStatus[];
  readonly publicPorts: number;
  /** Currently open connections of visitors. */
  readonly streams: number;
  /** Visitors admitted since the start. */
  readonly visitors: number;
  /** Bytes from visitors to clients, over all connections since the start. */
  readonly bytesIn: number;
  /** Bytes from clients to visitors. */
  readonly bytesOut: number;
  /** Data kept until clients acknowledge it, in case their link breaks, including overhead. */
  readonly resumeLogBytes: number;
  /** The last round trip measured by heartbeats, in ms, for each link that has one, in ascending order. */
  readonly roundTripsMs: readonly number[];
}

/** The part of a status that concerns sessions. */
export type SessionsStatus = Omit<ServerStatus, 'state' | 'handshakes' | 'certificates'>;

export const NO_SESSIONS: SessionsStatus = {
  linkedSessions: 0,
  waitingSessions: 0,
  publicPorts: 0,
  streams: 0,
  visitors: 0,
  bytesIn: 0,
  bytesOut: 0,
  resumeLogBytes: 0,
  roundTripsMs: [],
};
