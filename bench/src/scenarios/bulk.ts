import { Ends } from '../ends.ts';
import { DIRECTIONS } from '../load/commands.ts';
import { openPaths } from '../paths.ts';
import { peakResidentKiB, resetPeak } from '../process-figures.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

/** One stream that takes all there is: how fast, at what cost of CPU and memory. */
export const bulk: Scenario = {
  names: ['bulk', 'cpu', 'memory'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const speed = { up: new Rounds(), down: new Rounds() };
    const cpu = { up: new Rounds(), down: new Rounds() };
    const memory = { client: new Rounds(), server: new Rounds() };
    await using ends = await Ends.start();
    await using paths = await openPaths([ends.port], settings);
    const { clientPid, serverPid } = paths.tunnel;
    for (let round = 0; round < settings.rounds; round += 1) {
      resetPeak(clientPid);
      resetPeak(serverPid);
      for (const direction of DIRECTIONS) {
        for (const path of paths.all) {
          const pids = path.name === 'direct' ? ends.pids : path.pids;
          const flow = await ends.flow(settings, { port: path.ports[0], direction, pids });
          speed[direction].set(round, path.name, flow.gbitPerSecond);
          if (pids.length > 0) cpu[direction].set(round, path.name, flow.cpuSecondsPerGB);
        }
      }
      memory.client.set(round, 'tunnel', peakResidentKiB(clientPid) / 1024);
      memory.server.set(round, 'tunnel', peakResidentKiB(serverPid) / 1024);
    }
    return [
      ...DIRECTIONS.map((direction): Row => ({
        name: 'bulk',
        what: `one stream, ${direction}`,
        unit: 'Gbit/s',
        rounds: speed[direction].all,
        target: { kind: 'at-least-times', of: 'ssh', times: 1.3 },
      })),
      ...DIRECTIONS.map((direction): Row => ({
        name: 'cpu',
        what: `CPU of one stream, ${direction}, both processes`,
        unit: 's/GB',
        rounds: cpu[direction].all,
        target: { kind: 'at-most-times', of: 'direct', times: 7 },
      })),
      ...(['client', 'server'] as const).map((side): Row => ({
        name: 'memory',
        what: `peak memory of the ${side} with one stream`,
        unit: 'MiB',
        rounds: memory[side].all,
        target: { kind: 'at-most', value: 120 },
      })),
    ];
  },
};
