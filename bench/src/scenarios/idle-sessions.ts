import { setTimeout as delay } from 'node:timers/promises';
import { LoadProcess } from '../load/load-process.ts';
import type { ClientsCalls } from '../load/processes/clients.ts';
import { startServer } from '../paths.ts';
import { cpuSeconds, residentKiB } from '../process-figures.ts';
import type { Row, Scenario } from '../scenario.ts';

const SESSIONS = 5_000;
/** Sessions before memory is counted: code is compiled, and tables have grown, for the first ones already. */
const FIRST_SESSIONS = 50;

/** What the crowd that came leaves behind is collected meanwhile, in ms. */
const SETTLE_MS = 10_000;
const WATCH_MS = 10_000;

/** Clients whose tunnels nobody visits: what the server pays for being there. Once: coming takes much longer than idling. */
export const idleSessions: Scenario = {
  names: ['idle-sessions'],
  isQuick: false,
  async measure(): Promise<readonly Row[]> {
    await using clients = new LoadProcess<ClientsCalls>('clients');
    const { process, pid, port: serverPort } = await startServer();
    await using _server = process;
    await clients.call('connect', { serverPort, count: FIRST_SESSIONS });
    await delay(1_000);
    const residentBefore = residentKiB(pid);
    await clients.call('connect', { serverPort, count: SESSIONS });
    await delay(SETTLE_MS);
    const cpuBefore = cpuSeconds([pid]);
    const watchedFrom = performance.now();
    await delay(WATCH_MS);
    const share = (cpuSeconds([pid]) - cpuBefore) / ((performance.now() - watchedFrom) / 1000);
    const linked = await clients.call('linkedCount', undefined);
    if (linked < SESSIONS + FIRST_SESSIONS) throw new Error(`only ${linked} of ${SESSIONS} idle sessions have a link`);
    return [
      {
        name: 'idle-sessions',
        what: `${SESSIONS} idle sessions: memory of the server for each`,
        unit: 'KiB',
        rounds: [{ tunnel: (residentKiB(pid) - residentBefore) / SESSIONS }],
        target: { kind: 'at-most', value: 60 },
      },
      {
        name: 'idle-sessions',
        what: `${SESSIONS} idle sessions: share of a core, server`,
        unit: '%',
        rounds: [{ tunnel: share * 100 }],
        target: { kind: 'at-most', value: 10 },
      },
    ];
  },
};
