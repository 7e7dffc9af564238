import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TunnelProcess } from './command.ts';

/** Loaded into the command before its own code: on SIGUSR2 it tells, as one more event, what memory it holds. */
const probe = `
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  process.on('SIGUSR2', () => {
    // Twice: what the first one finalizes frees more.
    collectGarbage();
    setImmediate(() => {
      collectGarbage();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      console.log(JSON.stringify({ event: 'memory', time: new Date().toISOString(), arrayBuffers, heapUsed, dbg: globalThis.__dbg }));
    });
  });
`;

export interface Memory {
  /** Bytes in buffers, where all that streams carry is. */
  readonly arrayBuffers: number;
  readonly heapUsed: number;
}

/** Writes the probe into `folder`, and returns the environment that loads it into a command. */
export async function memoryProbe(folder: string): Promise<{ readonly NODE_OPTIONS: string }> {
  const path = join(folder, 'memory-probe.mjs');
  await writeFile(path, probe);
  return { NODE_OPTIONS: `--import=${pathToFileURL(path).href}` };
}

/** What the process holds after a garbage collection. */
export async function memoryOf(process: TunnelProcess): Promise<Memory> {
  const told = process.waitForNextEvent('memory');
  process.kill('SIGUSR2');
  const { arrayBuffers, heapUsed } = await told;
  return { arrayBuffers: Number(arrayBuffers), heapUsed: Number(heapUsed) };
}
