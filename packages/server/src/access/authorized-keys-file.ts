import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';
import { type AuthorizedKeys, type KeyBounds, parseAuthorizedKeys } from './authorized-keys.ts';

/** How often the file is checked if there are no change notifications (network file systems have none), in ms. */
const LOOK_MS = 2_000;

/**
 * A file counts as complete once it has not changed for this long, in ms: while being written it may be empty for a
 * moment.
 */
const SETTLE_MS = 150;

/** Where a server gets its authorized keys from. */
export interface AuthorizedKeySource {
  /** Rejects with `keys-unusable`. */
  read(bounds: KeyBounds): Promise<AuthorizedKeys>;
  /** Calls `onChange` whenever the keys may have changed. */
  watch(onChange: () => void): Disposable;
}

/**
 * Keys in a text file, one per line. The file may be replaced, written in place, be a link, or be missing for a moment.
 */
export function authorizedKeysFile(path: string): AuthorizedKeySource {
  return new AuthorizedKeysFile(path);
}

class AuthorizedKeysFile implements AuthorizedKeySource {
  readonly #path: string;
  /** The stamp of what was last read, usable or not. */
  #stamp = '';

  constructor(path: string) {
    this.#path = path;
  }

  async read(bounds: KeyBounds): Promise<AuthorizedKeys> {
    let text: string;
    try {
      text = await this.#readSettled();
    } catch (error) {
      const detail = `${this.#path}: ${describeSystemError(error)}`;
      throw new TunnelError('keys-unusable', { detail, hint: { id: 'keys-unreadable' }, cause: error });
    }
    return parseAuthorizedKeys(text, this.#path, bounds);
  }

  watch(onChange: () => void): Disposable {
    const look = async (): Promise<void> => {
      if ((await stampOf(this.#path)) !== this.#stamp) onChange();
    };
    const timer = setInterval(() => void look(), LOOK_MS).unref();
    let settling: NodeJS.Timeout | undefined;
    const watcher = watchDirectory(dirname(this.#path), () => {
      settling ??= setTimeout(() => {
        settling = undefined;
        void look();
      }, SETTLE_MS).unref();
    });
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        clearTimeout(settling);
        watcher?.close();
      },
    };
  }

  /** The text, once it is no longer being written. */
  async #readSettled(): Promise<string> {
    for (;;) {
      this.#stamp = await stampOf(this.#path);
      const text = await readFile(this.#path, 'utf8');
      const { mtimeMs } = await stat(this.#path);
      // Not forever, as the clock of the file system may be ahead.
      if (Math.abs(Date.now() - mtimeMs) < SETTLE_MS) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      if ((await stampOf(this.#path)) === this.#stamp) return text;
    }
  }
}

/** A stamp that differs for different content of the file behind any links, or for its absence. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** Watches the directory rather than the file, which editors replace. */
function watchDirectory(path: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onEvent);
    return watcher.on('error', () => watcher.close());
  } catch {
    return undefined; // The directory is gone, or there are too many watches: the timer has to suffice.
  }
}
