import { Ends } from '../ends.ts';
import { DIRECTIONS } from '../load/commands.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

/** A keystroke while somebody else fills the link. Services and visitors of the two share no process. */
export const roundTripBesideBulk: Scenario = {
  names: ['rtt-beside-bulk'],
  isQuick: false,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const p99 = { up: new Rounds(), down: new Rounds() };
    await using bulk = await Ends.start();
    await using typist = await Ends.start();
    await using paths = await openPaths([bulk.port, typist.port], settings);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const direction of DIRECTIONS) {
        for (const { name, ports } of paths.all) {
          const [bulkPort, typistPort = 0] = ports;
          const meanwhile = async (): Promise<void> => {
            const durationMs = settings.measureMs;
            const { p99Us } = await typist.visitor.call('roundTrips', { port: typistPort, durationMs });
            p99[direction].set(round, name, p99Us / 1000);
          };
          await bulk.flow(settings, { port: bulkPort, direction, meanwhile });
        }
      }
    }
    return DIRECTIONS.map((direction) => ({
      name: 'rtt-beside-bulk',
      what: `64-byte round trip beside bulk ${direction}, p99`,
      unit: 'ms',
      rounds: p99[direction].all,
      target: { kind: 'at-most', value: 5 },
    }));
  },
};
