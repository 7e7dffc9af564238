import type { Server, ServerStatus } from '@tunnel/server';
import { Counter, Gauge, Histogram } from 'prom-client';
import { codeLabel, type Metrics, newRegistry } from './metrics.ts';

/** From a fast handshake on the same machine up to the timeout, in seconds. */
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The Prometheus metrics of a server. Rare events are counted as they happen; everything on the path of visitors' bytes
 * is read from the status on each scrape, and costs nothing in between.
 */
export function serverMetrics(server: Server, version: string): Metrics {
  const registry = newRegistry(version);
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: readonly Label[]): Gauge<Label> =>
    new Gauge({ name: `tunnel_server_${name}`, help, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, ...labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name: `tunnel_server_${name}_total`, help, labelNames, registers });

  const sessions = gauge(
    'sessions',
    'Sessions, by whether they have a link now (linked) or wait for one (waiting).',
    'state',
  );
  const links = gauge(
    'links',
    'Links, by whether the client still has to prove who it is (handshake) or did (established).',
    'state',
  );
  const ports = gauge('public_ports', 'Public ports and host names that are open.');
  const certificateEnd = gauge(
    'certificate_end_seconds',
    'When the first of the certificates in use ends (Unix time); 0 without any.',
  );
  const streams = gauge('streams', "Visitors' connections that are open.");
  const logBytes = gauge(
    'resume_log_bytes',
    'What clients have not acknowledged and is kept in case their link breaks.',
  );
  const roundTrip = gauge(
    'heartbeat_round_trip_seconds',
    'The last round trip of each link, measured by heartbeats: the least, median and greatest over all links.',
    'statistic',
  );
  const visitors = counter('visitors', 'Visitors that were let in.');
  const bytes = counter(
    'visitor_bytes',
    'Bytes of visitors, by direction: in is from visitors to clients.',
    'direction',
  );

  const handshakes = counter(
    'handshakes',
    'Links by outcome: accepted, or the code of the error (see errors.md) with which they were refused or failed.',
    'code',
  );
  const handshakeDuration = new Histogram({
    name: 'tunnel_server_handshake_duration_seconds',
    help: 'How long the handshakes of accepted links took, from the upgrade request to the last message of the client.',
    buckets: HANDSHAKE_BUCKETS,
    registers,
  });
  const begun = counter('sessions_begun', 'New sessions.');
  const resumed = counter('sessions_resumed', 'Links that carried a session on.');
  const expired = counter('sessions_expired', 'Sessions whose client did not come back within the resume window.');
  const lost = counter('streams_lost', "Visitors' connections that ended because their session expired.");
  const linksLost = counter('links_lost', 'Established links that ended, by the code of the reason.', 'code');
  const visitorsRefused = counter(
    'visitors_refused',
    'Visitors that were turned away, by the code of the reason.',
    'code',
  );

  const onAccepted = (handshakeMs: number): void => {
    handshakes.inc({ code: 'accepted' });
    handshakeDuration.observe(handshakeMs / 1000);
  };
  server.on('client-connected', ({ handshakeMs }) => {
    onAccepted(handshakeMs);
    begun.inc();
  });
  server.on('client-resumed', ({ handshakeMs }) => {
    onAccepted(handshakeMs);
    resumed.inc();
  });
  server.on('client-refused', ({ code }) => handshakes.inc({ code: codeLabel(code) }));
  server.on('client-disconnected', ({ code }) => linksLost.inc({ code: codeLabel(code) }));
  server.on('client-expired', ({ lostStreams }) => {
    expired.inc();
    lost.inc(lostStreams);
  });
  server.on('visitor-refused', ({ code }) => visitorsRefused.inc({ code: codeLabel(code) }));

  const refresh = (status: ServerStatus): void => {
    const ends = status.certificates.map(({ validUntil }) => Date.parse(validUntil) / 1000);
    certificateEnd.set(ends.length === 0 ? 0 : Math.min(...ends));
    sessions.set({ state: 'linked' }, status.linkedSessions);
    sessions.set({ state: 'waiting' }, status.waitingSessions);
    links.set({ state: 'handshake' }, status.handshakes);
    links.set({ state: 'established' }, status.linkedSessions);
    ports.set(status.publicPorts);
    streams.set(status.streams);
    logBytes.set(status.resumeLogBytes);
    setStatistics(roundTrip, status.roundTripsMs);
    // A prom-client counter can only be incremented or reset.
    visitors.reset();
    visitors.inc(status.visitors);
    bytes.reset();
    bytes.inc({ direction: 'in' }, status.bytesIn);
    bytes.inc({ direction: 'out' }, status.bytesOut);
  };
  return {
    contentType: registry.contentType,
    read: () => {
      refresh(server.status());
      return registry.metrics();
    },
  };
}

/** `sortedMs` is in ascending order; without a measured link there is nothing to set. */
function setStatistics(gauge: Gauge<'statistic'>, sortedMs: readonly number[]): void {
  gauge.reset();
  const [least] = sortedMs;
  const median = sortedMs[Math.floor((sortedMs.length - 1) / 2)];
  const greatest = sortedMs.at(-1);
  if (least === undefined || median === undefined || greatest === undefined) return;
  gauge.set({ statistic: 'min' }, least / 1000);
  gauge.set({ statistic: 'median' }, median / 1000);
  gauge.set({ statistic: 'max' }, greatest / 1000);
}
