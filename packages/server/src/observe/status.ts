/** What a server is doing at one moment, and what it carried since its start. A copy: it does not change. */
export interface ServerStatus {
  /** `draining`: it takes no new clients and visitors, and lets those that are there finish. */
  readonly state: 'new' | 'listening' | 'draining' | 'stopped';
  /** Sessions that have a link now. */
  readonly linkedSessions: number;
  /** Sessions without a link, whose clients may still come back. */
  readonly waitingSessions: number;
  /** Links whose client has not proved yet who it is, also those that wait for their turn. */
  readonly handshakes: number;
  readonly publicPorts: number;
  /** Visitors' connections that are open now. */
  readonly streams: number;
  /** Visitors that were let in since the start. */
  readonly visitors: number;
  /** From visitors to clients, in all connections since the start. */
  readonly bytesIn: number;
  /** From clients to visitors. */
  readonly bytesOut: number;
  /** What clients have not acknowledged and is kept in case their link breaks, with what keeping it costs. */
  readonly resumeLogBytes: number;
  /** The last round trip that heartbeats measured, in ms: of each link that has one, in ascending order. */
  readonly roundTripsMs: readonly number[];
}

/** The part of a status that is about sessions. */
export type SessionsStatus = Omit<ServerStatus, 'state' | 'handshakes'>;

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
