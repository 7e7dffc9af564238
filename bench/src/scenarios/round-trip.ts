import { Ends } from '../ends.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

/** One keystroke and its echo, with nothing beside it. */
export const roundTrip: Scenario = {
  names: ['rtt'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const p50 = new Rounds();
    const p99 = new Rounds();
    await using ends = await Ends.start();
    await using paths = await openPaths([ends.port], settings);
    // The first round trips run code that was not compiled yet.
    for (let round = -1; round < settings.rounds; round += 1) {
      for (const { name, ports } of paths.all) {
        const durationMs = round < 0 ? settings.warmUpMs : settings.measureMs;
        const { p50Us, p99Us } = await ends.visitor.call('roundTrips', { port: ports[0], durationMs });
        if (round < 0) continue;
        p50.set(round, name, p50Us);
        p99.set(round, name, p99Us);
      }
    }
    return [
      {
        name: 'rtt',
        what: '64-byte round trip, p50',
        unit: 'µs',
        rounds: p50.all,
        target: { kind: 'at-most-times', of: 'direct', times: 1.8 },
      },
      {
        name: 'rtt',
        what: '64-byte round trip, p99',
        unit: 'µs',
        rounds: p99.all,
        target: { kind: 'at-most-times', of: 'direct', times: 3 },
      },
    ];
  },
};
