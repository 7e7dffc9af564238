import type { Client, ClientStatus } from '@tunnel/client';
import { Counter, Gauge, type Registry } from 'prom-client';
import { codeLabel, type Metrics, newRegistry } from './metrics.ts';

/** Counters that a client keeps itself. */
const COUNTED = ['bytesIn', 'bytesOut', 'reconnects', 'resumedStreams', 'lostStreams'] as const;
type Counts = Readonly<Record<(typeof COUNTED)[number], number>>;

/** The Prometheus metrics of a process's clients, from their events and their status. */
export class ClientMetrics implements Metrics {
  readonly #registry: Registry;
  readonly #clients = new Set<Client>();
  /** Totals of clients that are gone, by server. */
  readonly #past = new Map<string, Counts>();
  readonly #ready: Gauge<'server'>;
  readonly #wanted: Gauge<'server'>;
  readonly #open: Gauge<'server'>;
  readonly #streams: Gauge<'server'>;
  readonly #roundTrip: Gauge<'server'>;
  readonly #bytes: Counter<'server' | 'direction'>;
  readonly #reconnects: Counter<'server'>;
  readonly #resumedStreams: Counter<'server'>;
  readonly #lostStreams: Counter<'server'>;
  readonly #visitors: Counter<'server'>;
  readonly #linksLost: Counter<'server' | 'code'>;
  readonly #retries: Counter<'server' | 'code'>;

  constructor(version: string) {
    const registry = newRegistry(version);
    const registers = [registry];
    const gauge = (name: string, help: string): Gauge<'server'> =>
      new Gauge({ name: `tunnel_client_${name}`, help, labelNames: ['server'], registers });
    const counter = <Label extends string>(
      name: string,
      help: string,
      ...labels: readonly Label[]
    ): Counter<'server' | Label> =>
      new Counter({ name: `tunnel_client_${name}_total`, help, labelNames: ['server', ...labels], registers });
    this.#registry = registry;
    this.#ready = gauge('ready', '1 where the link stands and all tunnels are open, else 0.');
    this.#wanted = gauge('tunnels_wanted', 'Tunnels that are to be open.');
    this.#open = gauge('tunnels_open', 'Tunnels that the server has granted.');
    this.#streams = gauge('streams', "Visitors' connections that are open.");
    this.#roundTrip = gauge(
      'heartbeat_round_trip_seconds',
      'The last round trip that heartbeats measured; without a link there is none.',
    );
    this.#bytes = counter(
      'visitor_bytes',
      'Bytes of visitors, by direction: in is from visitors to services.',
      'direction',
    );
    this.#reconnects = counter('reconnects', 'Links that followed a lost one.');
    this.#resumedStreams = counter(
      'streams_resumed',
      "Visitors' connections that were carried on over a new link; one counts each time.",
    );
    this.#lostStreams = counter('streams_lost', "Visitors' connections that ended because their session did.");
    this.#visitors = counter('visitors', 'Visitors that came.');
    this.#linksLost = counter(
      'links_lost',
      'Links that ended while all tunnels were open, by the code of the reason (see errors.md).',
      'code',
    );
    this.#retries = counter('retries', 'Attempts that are followed by another one, by the code of the reason.', 'code');
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Clients of the same server are counted together. */
  watch(client: Client): void {
    const { server } = client.status();
    this.#clients.add(client);
    this.#visitors.inc({ server }, 0);
    client.on('stream', ({ state }) => {
      if (state === 'opened') this.#visitors.inc({ server });
    });
    client.on('disconnected', ({ code }) => this.#linksLost.inc({ server, code: codeLabel(code) }));
    client.on('retrying', ({ code }) => this.#retries.inc({ server, code: codeLabel(code) }));
  }

  /** The client is no longer needed. Its counts stay: Prometheus takes a falling counter for a restarted one. */
  forget(client: Client): void {
    if (!this.#clients.delete(client)) return;
    const last = client.status();
    const past = this.#past.get(last.server);
    const sums = COUNTED.map((name) => [name, (past?.[name] ?? 0) + last[name]]);
    this.#past.set(last.server, Object.fromEntries(sums) as Counts);
  }

  read(): Promise<string> {
    this.#refresh([...this.#clients].map((client) => client.status()));
    return this.#registry.metrics();
  }

  #refresh(statuses: readonly ClientStatus[]): void {
    // A prom-client counter can only be incremented or reset.
    const counters = [this.#bytes, this.#reconnects, this.#resumedStreams, this.#lostStreams];
    for (const counter of counters) counter.reset();
    for (const gauge of [this.#ready, this.#wanted, this.#open, this.#streams, this.#roundTrip]) gauge.reset();
    const counts: [string, Counts][] = statuses.map((status) => [status.server, status]);
    for (const [server, count] of [...this.#past, ...counts]) {
      this.#bytes.inc({ server, direction: 'in' }, count.bytesIn);
      this.#bytes.inc({ server, direction: 'out' }, count.bytesOut);
      this.#reconnects.inc({ server }, count.reconnects);
      this.#resumedStreams.inc({ server }, count.resumedStreams);
      this.#lostStreams.inc({ server }, count.lostStreams);
    }
    for (const status of statuses) {
      const { server, tunnels, roundTripMs } = status;
      const isReady = statuses.every((other) => other.server !== server || other.state === 'ready');
      this.#ready.set({ server }, isReady ? 1 : 0);
      this.#wanted.inc({ server }, tunnels.length);
      this.#open.inc({ server }, tunnels.filter(({ isOpen }) => isOpen).length);
      this.#streams.inc({ server }, status.streams);
      if (roundTripMs !== undefined) this.#roundTrip.set({ server }, roundTripMs / 1000);
    }
  }
}
