import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';
import { type AuthorizedKeys, type KeyBounds, parseAuthorizedKeys } from './authorized-keys.ts';

/** How often the file is looked at where nothing says that it changed (network file systems do not), in ms. */
const LOOK_MS = 2_000;

/** A file counts as written once it stayed the same for this long: one that is being written may be empty for a moment. */
const SETTLE_MS = 150;

/** Where a server has its authorized keys from. */
export interface AuthorizedKeySource {
  /** Rejects with `keys-unusable`. */
  read(bounds: KeyBounds): Promise<AuthorizedKeys>;
  /** Calls this whenever the keys may be others. */
  watch(onChange: () => void): Disposable;
}

/** Keys in a text file, one a line. It may be replaced, written in place, be a link, or be away for a moment. */
export function authorizedKeysFile(path: string): AuthorizedKeySource {
  return new AuthorizedKeysFile(path);
}

class AuthorizedKeysFile implements AuthorizedKeySource {
  readonly #path: string;
  /** Of what was read last, also where it could not be used. */
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

  /** The text, once nobody writes it any more. */
  async #readSettled(): Promise<string> {
    for (;;) {
      this.#stamp = await stampOf(this.#path);
      const text = await readFile(this.#path, 'utf8');
      const { mtimeMs } = await stat(this.#path);
      // Not for ever, where the clock of the file system is ahead.
      if (Math.abs(Date.now() - mtimeMs) < SETTLE_MS) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      if ((await stampOf(this.#path)) === this.#stamp) return text;
    }
  }
}

/** Another one for every other content: of the file behind links, or of its absence. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** The directory and not the file: editors put another file in its place. */
function watchDirectory(path: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onEvent);
    return watcher.on('error', () => watcher.close());
  } catch {
    return undefined; // No such directory any more, or too many watches: the timer has to do.
  }
}
