import type { Client, ClientStatus } from '@tunnel/client';
import { Counter, Gauge } from 'prom-client';
import { codeLabel, type Metrics, newRegistry } from './metrics.ts';

/** What a client tells Prometheus, from its events and its status. */
export function clientMetrics(client: Client, version: string): Metrics {
  const registry = newRegistry(version);
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `tunnel_client_${name}`, help, registers });
  const counter = <Label extends string>(name: string, help: string, ...labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name: `tunnel_client_${name}_total`, help, labelNames, registers });

  const ready = gauge('ready', '1 where the link stands and all tunnels are open, else 0.');
  const wanted = gauge('tunnels_wanted', 'Tunnels that the client was started with.');
  const open = gauge('tunnels_open', 'Tunnels that the server has granted.');
  const streams = gauge('streams', "Visitors' connections that are open.");
  const roundTrip = gauge(
    'heartbeat_round_trip_seconds',
    'The last round trip that heartbeats measured; without a link there is none.',
  );
  const bytes = counter(
    'visitor_bytes',
    'Bytes of visitors, by direction: in is from visitors to services.',
    'direction',
  );
  const reconnects = counter('reconnects', 'Links that followed a lost one.');
  const resumedStreams = counter(
    'streams_resumed',
    "Visitors' connections that were carried on over a new link; one counts each time.",
  );
  const lostStreams = counter('streams_lost', "Visitors' connections that ended because their session did.");

  const visitors = counter('visitors', 'Visitors that came.');
  const linksLost = counter(
    'links_lost',
    'Links that ended while all tunnels were open, by the code of the reason (see errors.md).',
    'code',
  );
  const failures = counter('retries', 'Attempts that are followed by another one, by the code of the reason.', 'code');

  client.on('stream', ({ state }) => {
    if (state === 'opened') visitors.inc();
  });
  client.on('disconnected', ({ code }) => linksLost.inc({ code: codeLabel(code) }));
  client.on('retrying', ({ code }) => failures.inc({ code: codeLabel(code) }));

  const refresh = (status: ClientStatus): void => {
    ready.set(status.state === 'ready' ? 1 : 0);
    wanted.set(status.tunnels.length);
    open.set(status.tunnels.filter(({ isOpen }) => isOpen).length);
    streams.set(status.streams);
    roundTrip.remove();
    if (status.roundTripMs !== undefined) roundTrip.set(status.roundTripMs / 1000);
    // A counter of prom-client can only be counted up, or begun anew.
    bytes.reset();
    bytes.inc({ direction: 'in' }, status.bytesIn);
    bytes.inc({ direction: 'out' }, status.bytesOut);
    reconnects.reset();
    reconnects.inc(status.reconnects);
    resumedStreams.reset();
    resumedStreams.inc(status.resumedStreams);
    lostStreams.reset();
    lostStreams.inc(status.lostStreams);
  };
  return {
    contentType: registry.contentType,
    read: () => {
      refresh(client.status());
      return registry.metrics();
    },
  };
}
