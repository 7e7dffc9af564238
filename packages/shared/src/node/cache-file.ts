import { rename } from 'node:fs/promises';
import { TunnelError } from '../errors.ts';
import { makePrivateDirectory, readTextFile, writeFileAtomic } from './files.ts';
import { dirname } from 'node:path';

/**
 * A JSON file that may be lost: where it is damaged it is set aside under another name, told once, and made anew. Writes
 * follow each other, and only the newest of those that wait is made.
 */
export class CacheFile<T> {
  readonly #path: string;
  readonly #parse: (value: unknown) => T;
  #pending: { readonly value: T } | undefined;
  #writing: Promise<void> | undefined;

  /** `parse` throws for what it does not know. */
  constructor(path: string, parse: (value: unknown) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** What the file holds; undefined where there is none, or, with `damage` telling why, none that can be used. */
  async read(): Promise<{ readonly value: T | undefined; readonly damage?: TunnelError }> {
    const text = await readTextFile(this.#path);
    if (text === undefined) return { value: undefined };
    try {
      return { value: this.#parse(JSON.parse(text)) };
    } catch (cause) {
      const aside = `${this.#path}.damaged`;
      await rename(this.#path, aside).catch(() => {});
      const reason = cause instanceof Error ? cause.message : String(cause);
      return {
        value: undefined,
        damage: new TunnelError('cache-damaged', { detail: `${this.#path}: ${reason}; kept as ${aside}`, cause }),
      };
    }
  }

  /** Resolves when this value, or a newer one, is on the disk. Rejects with `state-unusable`. */
  async write(value: T): Promise<void> {
    this.#pending = { value };
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    await makePrivateDirectory(dirname(this.#path));
    for (let next = this.#pending; next; next = this.#pending) {
      this.#pending = undefined;
      await writeFileAtomic(this.#path, `${JSON.stringify(next.value, null, 1)}\n`);
    }
  }
}
