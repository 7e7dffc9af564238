import { TUNNEL_LIMIT } from '@tunnel/shared';
import { CacheFile, isRunning, ownProcess, type ProcessStamp } from '@tunnel/shared/node';
import type { PortMemory } from '../options.ts';

/** Ports that are remembered in all, enough for the tunnels of two sessions; beyond it the longest unused ones are forgotten. */
const ENTRY_LIMIT = 2 * TUNNEL_LIMIT;

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
  /** What the next put takes along: servers can grant ports faster than a disk takes them. By server and port. */
  #waiting = new Map<string, Entry>();

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
    const isFirst = this.#waiting.size === 0;
    const key = `${entry.server} ${entry.port}`;
    // Behind the others: the last one is the newest.
    this.#waiting.delete(key);
    this.#waiting.set(key, entry);
    if (isFirst) this.#lastPut = this.#lastPut.catch(() => {}).then(() => this.#putWaiting());
    return this.#lastPut;
  }

  async #putWaiting(): Promise<void> {
    const added = this.#waiting;
    this.#waiting = new Map();
    const { value: entries = [] } = await this.#file.read();
    const others = entries.filter(({ server, port }) => !added.has(`${server} ${port}`));
    await this.#file.write([...others, ...added.values()].slice(-ENTRY_LIMIT));
  }
}

function parseEntries(value: unknown): readonly Entry[] {
  if (!Array.isArray(value)) throw new Error('it is not a list');
  return value.map((each: unknown, index) => {
    const { server, name, port, process } = (each ?? {}) as Record<string, unknown>;
    const { pid, started } = (process ?? {}) as Record<string, unknown>;
    const isStamp = typeof pid === 'number' && (started === undefined || typeof started === 'string');
    if (typeof server !== 'string' || typeof name !== 'string' || typeof port !== 'number' || !isStamp) {
      throw new Error(`entry ${index + 1} is not a remembered port`);
    }
    return { server, name, port, process: { pid, started } };
  });
}
