import { lstat } from 'node:fs/promises';
import { TunnelError } from '../errors/errors.ts';
import { makePrivateDirectory, readTextFile, writeFileAtomic } from './files.ts';
import { isOwn } from './ownership.ts';
import { replaceFile } from './replace-file.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { dirname } from 'node:path';

/**
 * A JSON file that may be lost: where it is damaged it is set aside under another name, told once, and created again. Writes
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
    try {
      const text = await readTextFile(this.#path);
      return { value: text === undefined ? undefined : this.#parse(JSON.parse(text)) };
    } catch (cause) {
      // What cannot be read is no better than what cannot be understood.
      const reason = cause instanceof TunnelError ? cause.detail : `${this.#path}: ${describe(cause)}`;
      const detail = `${reason}; ${await this.#setAside()}`;
      return { value: undefined, damage: new TunnelError('cache-damaged', { detail, cause }) };
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

  /** Says what became of the damaged file. */
  async #setAside(): Promise<string> {
    const aside = `${this.#path}.damaged`;
    try {
      // Root may be the one who reads.
      if (!isOwn((await lstat(this.#path)).uid)) return 'left as it is: it belongs to another user';
      await replaceFile(this.#path, aside);
      return `set aside as ${aside}, and created again`;
    } catch (error) {
      return `it could not be set aside as ${aside}: ${describeSystemError(error)}`;
    }
  }

  async #writeAll(): Promise<void> {
    await makePrivateDirectory(dirname(this.#path));
    for (let next = this.#pending; next; next = this.#pending) {
      this.#pending = undefined;
      await writeFileAtomic(this.#path, `${JSON.stringify(next.value, null, 1)}\n`);
    }
  }
}

function describe(cause: unknown): string {
  // The words of the JSON parser differ from version to version, and may quote the file.
  if (cause instanceof SyntaxError) return 'it is not valid JSON';
  return cause instanceof Error ? cause.message : String(cause);
}
