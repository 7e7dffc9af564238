import { CacheFile, isRunning, ownProcess, type ProcessStamp } from '@tunnel/shared/node';
import type { PortMemory } from './options.ts';

/** Ports that are remembered in all; beyond it the longest unused ones are forgotten. */
const ENTRY_LIMIT = 512;

interface Entry {
  readonly server: string;
  readonly name: string;
  readonly port: number;
  /** Who has, or had, it. */
  readonly process: ProcessStamp;
}

/**
 * Remembers in a file which public port each tunnel had, so that a client that is started again asks for the same one.
 * A port that a running process has is left to that one: a second terminal gets another.
 */
export class LastPorts implements PortMemory {
  readonly #file: CacheFile<readonly Entry[]>;
  /** Of two that read before the other wrote, one would be forgotten. */
  #lastPut: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#file = new CacheFile(path, parseEntries);
  }

  async recall(server: string, name: string): Promise<{ readonly port: number | undefined; readonly damage?: Error }> {
    const { value: entries = [], damage } = await this.#file.read();
    for (const entry of entries.toReversed()) {
      if (entry.server !== server || entry.name !== name || (await isRunning(entry.process))) continue;
      await this.#put({ ...entry, process: await ownProcess() });
      return { port: entry.port };
    }
    return { port: undefined, ...(damage && { damage }) };
  }

  async remember(server: string, name: string, port: number): Promise<void> {
    await this.#put({ server, name, port, process: await ownProcess() });
  }

  #put(entry: Entry): Promise<void> {
    const put = this.#lastPut.then(() => this.#add(entry));
    this.#lastPut = put.catch(() => {});
    return put;
  }

  async #add(entry: Entry): Promise<void> {
    const { value: entries = [] } = await this.#file.read();
    const others = entries.filter(({ server, port }) => server !== entry.server || port !== entry.port);
    await this.#file.write([...others, entry].slice(-ENTRY_LIMIT));
  }
}

function parseEntries(value: unknown): readonly Entry[] {
  if (!Array.isArray(value)) throw new Error('it is no list');
  return value.map((each: unknown, index) => {
    const { server, name, port, process } = (each ?? {}) as Record<string, unknown>;
    const { pid, started } = (process ?? {}) as Record<string, unknown>;
    const isStamp = typeof pid === 'number' && (started === undefined || typeof started === 'string');
    if (typeof server !== 'string' || typeof name !== 'string' || typeof port !== 'number' || !isStamp) {
      throw new Error(`entry ${index + 1} is no remembered port`);
    }
    return { server, name, port, process: { pid, started } };
  });
}
