import { setTimeout as delay } from 'node:timers/promises';
import { Ends } from '../ends.ts';
import { DIRECTIONS } from '../load/commands.ts';
import { tunnelPath } from '../paths.ts';
import { residentKiB } from '../process-figures.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

const STREAMS = 10_000;
/** Visitors before memory is counted: code is compiled for the first ones already. */
const FIRST_STREAMS = 100;
const SETTLE_MS = 3_000;

/** A crowd of open streams on which nothing moves, and one that is busy beside them. */
export const openStreams: Scenario = {
  names: ['open-streams'],
  isQuick: false,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const ratio = { up: new Rounds(), down: new Rounds() };
    await using bulk = await Ends.start();
    await using crowd = await Ends.start();
    await using empty = await tunnelPath([bulk.port]);
    await using full = await tunnelPath([bulk.port, crowd.port]);
    const { clientPid, serverPid } = full;
    const [bulkPort, crowdPort = 0] = full.ports;
    await crowd.visitor.call('hold', { port: crowdPort, count: FIRST_STREAMS });
    await delay(SETTLE_MS);
    const before = { client: residentKiB(clientPid), server: residentKiB(serverPid) };
    await crowd.visitor.call('hold', { port: crowdPort, count: STREAMS });
    await delay(SETTLE_MS);
    const memory = {
      client: (residentKiB(clientPid) - before.client) / STREAMS,
      server: (residentKiB(serverPid) - before.server) / STREAMS,
    };
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const direction of DIRECTIONS) {
        const alone = await bulk.flow(settings, { port: empty.ports[0], direction });
        const beside = await bulk.flow(settings, { port: bulkPort, direction });
        ratio[direction].set(round, 'tunnel', beside.gbitPerSecond / alone.gbitPerSecond);
      }
    }
    return [
      ...(['client', 'server'] as const).map((side): Row => ({
        name: 'open-streams',
        what: `${STREAMS} open streams: memory of the ${side} for each`,
        unit: 'KiB',
        rounds: [{ tunnel: memory[side] }],
        target: { kind: 'at-most', value: 12 },
      })),
      ...DIRECTIONS.map((direction): Row => ({
        name: 'open-streams',
        what: `bulk ${direction} beside ${STREAMS} open streams by bulk alone`,
        unit: '×',
        rounds: ratio[direction].all,
        target: { kind: 'at-least', value: 0.9 },
      })),
    ];
  },
};
