import { Ends } from '../ends.ts';
import { DIRECTIONS } from '../load/commands.ts';
import { LongLine, ROUND_TRIP_MS } from '../long-line.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

const BYTES = 200e6;

/** One new stream over a long line: its window has to grow to what the line holds. `direct` is what the line can do. */
export const longFat: Scenario = {
  names: ['long-fat'],
  isQuick: false,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const speed = { up: new Rounds(), down: new Rounds() };
    await using ends = await Ends.start();
    await using line = new LongLine();
    await using paths = await openPaths([ends.port], settings, line.detour);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const direction of DIRECTIONS) {
        for (const { name, ports } of paths.all) {
          const tookMs = await ends.visitor.call('transfer', { port: ports[0], direction, bytes: BYTES });
          speed[direction].set(round, name, (BYTES * 8) / tookMs / 1e6);
        }
      }
    }
    return DIRECTIONS.map((direction) => ({
      name: 'long-fat',
      what: `${BYTES / 1e6} MB over ${ROUND_TRIP_MS} ms, ${direction}`,
      unit: 'Gbit/s',
      rounds: speed[direction].all,
      target: { kind: 'at-least-times', of: 'direct', times: 0.8 },
    }));
  },
};
