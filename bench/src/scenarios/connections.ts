import { Ends } from '../ends.ts';
import { openPaths } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

const AT_ONCE = 16;

/** Visitors that come, get one byte, and go. */
export const connections: Scenario = {
  names: ['connections'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const perSecond = new Rounds();
    await using ends = await Ends.start();
    await using paths = await openPaths([ends.port], settings);
    for (let round = -1; round < settings.rounds; round += 1) {
      for (const { name, ports } of paths.all) {
        const durationMs = round < 0 ? settings.warmUpMs : settings.measureMs;
        const rate = await ends.visitor.call('connections', { port: ports[0], atOnce: AT_ONCE, durationMs });
        if (round >= 0) perSecond.set(round, name, rate);
      }
    }
    return [
      {
        name: 'connections',
        what: `new connections, ${AT_ONCE} at a time`,
        unit: '1/s',
        rounds: perSecond.all,
        target: { kind: 'at-least-times', of: 'direct', times: 0.36 },
      },
    ];
  },
};
