import { Ends } from '../ends.ts';
import { DIRECTIONS } from '../load/commands.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

const STREAMS = 64;

/** Many streams share the link: together they should carry what one does. */
export const streams: Scenario = {
  names: ['streams64'],
  isQuick: false,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const speed = { up: new Rounds(), down: new Rounds() };
    const ratio = { up: new Rounds(), down: new Rounds() };
    await using ends = await Ends.start();
    await using paths = await openPaths([ends.port], settings);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const direction of DIRECTIONS) {
        for (const { name, ports } of paths.all) {
          const one = await ends.flow(settings, { port: ports[0], direction });
          const many = await ends.flow(settings, { port: ports[0], direction, count: STREAMS });
          speed[direction].set(round, name, many.gbitPerSecond);
          ratio[direction].set(round, name, many.gbitPerSecond / one.gbitPerSecond);
        }
      }
    }
    return DIRECTIONS.flatMap((direction): Row[] => [
      {
        name: 'streams64',
        what: `${STREAMS} streams together, ${direction}`,
        unit: 'Gbit/s',
        rounds: speed[direction].all,
      },
      {
        name: 'streams64',
        what: `${STREAMS} streams by one stream, ${direction}`,
        unit: '×',
        rounds: ratio[direction].all,
        target: { kind: 'at-least', value: 1 },
      },
    ]);
  },
};
