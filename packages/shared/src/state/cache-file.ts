import { lstat } from 'node:fs/promises';
import { TunnelError } from '../errors/errors.ts';
import { makePrivateDirectory, readTextFile, writeFileAtomic } from './files.ts';
import { isOwn } from './ownership.ts';
import { replaceFile } from './replace-file.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { dirname } from 'node:path';

/**
 * A JSON file that may be lost: if it is damaged it is renamed, reported once, and created again. Writes are
 * sequential, and of those waiting only the newest is made.
 */
export class CacheFile<T> {
  readonly #path: string;
  readonly #parse: (value: unknown) => T;
  #pending: { readonly value: T } | undefined;
  #writing: Promise<void> | undefined;

  /** `parse` throws if it does not recognize the value. */
  constructor(path: string, parse: (value: unknown) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** The content of the file. Undefined if there is none, or none that can be used; `damage` then says why. */
  async read(): Promise<{ readonly value: T | undefined; readonly damage?: TunnelError }> {
    try {
      const text = await readTextFile(this.#path);
      return { value: text === undefined ? undefined : this.#parse(JSON.parse(text)) };
    } catch (cause) {
      // Unreadable is treated like unparsable.
      const reason = cause instanceof TunnelError ? cause.detail : `${this.#path}: ${describe(cause)}`;
      const detail = `${reason}; ${await this.#setAside()}`;
      return { value: undefined, damage: new TunnelError('cache-damaged', { detail, cause }) };
    }
  }

  /** Resolves once this value, or a newer one, is on disk. Rejects with `state-unusable`. */
  async write(value: T): Promise<void> {
    this.#pending = { value };
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /** Renames the damaged file. Returns what became of it, in words. */
  async #setAside(): Promise<string> {
    const aside = `${this.#path}.damaged`;
    try {
      // We may be root, reading another user's file.
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
  // The JSON parser's messages differ between versions and may quote the file.
  if (cause instanceof SyntaxError) return 'it is not valid JSON';
  return cause instanceof Error ? cause.message : String(cause);
}
