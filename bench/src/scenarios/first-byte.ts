import { Ends } from '../ends.ts';
import { LongLine, ROUND_TRIP_MS } from '../long-line.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';
import { median } from '../statistics.ts';

const VISITORS = 10;

/** What the programs may add to the line, in ms. */
const OWN_MS = 5;

/** How long a new visitor waits over a long line. One round trip is what cannot be helped. */
export const firstByte: Scenario = {
  names: ['first-byte'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const waited = new Rounds();
    await using ends = await Ends.start();
    await using line = new LongLine();
    await using paths = await openPaths([ends.port], settings, line.detour);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const { name, ports } of paths.all) {
        const tookMs = await ends.visitor.call('firstBytes', { port: ports[0], count: VISITORS });
        waited.set(round, name, median(tookMs));
      }
    }
    return [
      {
        name: 'first-byte',
        what: `first byte for a new visitor over ${ROUND_TRIP_MS} ms`,
        unit: 'ms',
        rounds: waited.all,
        target: { kind: 'at-most', value: ROUND_TRIP_MS + OWN_MS },
      },
    ];
  },
};
