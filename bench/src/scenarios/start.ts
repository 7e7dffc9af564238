import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { temporaryDirectory } from '@tunnel/test/support/temporary-directory';
import { Ends } from '../ends.ts';
import { startClient, startServer } from '../paths.ts';
import { Rounds, type Row, type Scenario, type Settings } from '../scenario.ts';
import { median } from '../statistics.ts';

const STARTS_A_ROUND = 3;

/** From the start of `tunnel local` to its `ready`; `direct` is a Node that does nothing. */
export const start: Scenario = {
  names: ['start'],
  isQuick: true,
  async measure(settings: Settings): Promise<readonly Row[]> {
    const took = new Rounds();
    await using ends = await Ends.start();
    await using home = await temporaryDirectory();
    const { process: server, port } = await startServer();
    await using _server = server;
    const startTunnelMs = async (): Promise<number> => {
      const began = performance.now();
      await using client = await startClient(port, [ends.port], home.path);
      await client.waitForEvent('ready');
      return performance.now() - began;
    };
    // The first one ever makes its key and pins the server's.
    await startTunnelMs();
    for (let round = 0; round < settings.rounds; round += 1) {
      const tunnelMs: number[] = [];
      const nodeMs: number[] = [];
      while (tunnelMs.length < STARTS_A_ROUND) {
        tunnelMs.push(await startTunnelMs());
        nodeMs.push(await runNodeMs());
      }
      took.set(round, 'tunnel', median(tunnelMs));
      took.set(round, 'direct', median(nodeMs));
    }
    return [
      {
        name: 'start',
        what: 'tunnel local, from its start to ready (direct: an empty Node)',
        unit: 'ms',
        rounds: took.all,
        target: { kind: 'at-most', value: 250 },
      },
    ];
  },
};

async function runNodeMs(): Promise<number> {
  const began = performance.now();
  await once(spawn(process.execPath, ['--eval', '0']), 'exit');
  return performance.now() - began;
}
