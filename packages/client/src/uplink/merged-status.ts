import type { ClientStatus, TunnelStatus } from '../status.ts';

/** The more a state says that people are served, the further up. */
const RANK: readonly ClientStatus['state'][] = ['ready', 'waiting', 'connecting', 'new', 'stopping', 'stopped'];

/** What several uplinks are doing, as the one status of their client: it is as well off as the best of them. */
export function mergedStatus(first: ClientStatus, ...others: readonly ClientStatus[]): ClientStatus {
  const all = [first, ...others];
  if (others.length === 0) return first;
  const best = all.toSorted((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state))[0] ?? first;
  const sum = (read: (status: ClientStatus) => number): number => all.reduce((total, each) => total + read(each), 0);
  return {
    ...best,
    server: all.map(({ server }) => server).join(', '),
    tunnels: first.tunnels.map((tunnel, index) =>
      mergedTunnel(
        tunnel,
        others.flatMap(({ tunnels }) => tunnels[index] ?? []),
      ),
    ),
    streams: sum(({ streams }) => streams),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
    reconnects: sum(({ reconnects }) => reconnects),
    resumedStreams: sum(({ resumedStreams }) => resumedStreams),
    lostStreams: sum(({ lostStreams }) => lostStreams),
    lastError: all.flatMap(({ lastError }) => lastError ?? []).toSorted((a, b) => b.at.localeCompare(a.at))[0],
  };
}

/** Its address is the first one that is open. */
function mergedTunnel(first: TunnelStatus, others: readonly TunnelStatus[]): TunnelStatus {
  const all = [first, ...others];
  const shown = all.find(({ isOpen }) => isOpen) ?? first;
  return { ...shown, refused: all.reduce((total, { refused }) => total + refused, 0) };
}
