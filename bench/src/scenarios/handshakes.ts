import { LoadProcess } from '../load/load-process.ts';
import type { HandshakesCalls } from '../load/processes/handshakes.ts';
import { startServer } from '../paths.ts';
import { cpuSeconds } from '../process-figures.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';

/** A handshake is a lot of code, and few of them are in a second: a rate still rises after two thousand. */
const WARM_UP_TIMES = 8;

/** Of each of the two processes that come as clients. */
const AT_ONCE = 8;

/**
 * Whole handshakes up to the accepted session, a connection each. By the server's CPU time, since the clients' side of it
 * takes as much as the server's and shares the machine. Sessions end with their links here: none pile up.
 */
export const handshakes: Scenario = {
  names: ['handshakes'],
  isQuick: false,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const perCpuSecond = new Rounds();
    await using first = new LoadProcess<HandshakesCalls>('handshakes');
    await using second = new LoadProcess<HandshakesCalls>('handshakes');
    const { process, pid, port: serverPort } = await startServer(['--resume-window', '0']);
    await using _server = process;
    const shakeHands = async (durationMs: number): Promise<number> => {
      const argument = { serverPort, atOnce: AT_ONCE, durationMs };
      const counts = await Promise.all([first, second].map((clients) => clients.call('shakeHands', argument)));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    await shakeHands(WARM_UP_TIMES * settings.warmUpMs);
    for (let round = 0; round < settings.rounds; round += 1) {
      const before = cpuSeconds([pid]);
      const count = await shakeHands(settings.measureMs);
      perCpuSecond.set(round, 'tunnel', count / (cpuSeconds([pid]) - before));
    }
    return [
      {
        name: 'handshakes',
        what: `handshakes, ${2 * AT_ONCE} at a time, for each CPU second of the server`,
        unit: '1/s',
        rounds: perCpuSecond.all,
        target: { kind: 'at-least', value: 1_000 },
      },
    ];
  },
};
