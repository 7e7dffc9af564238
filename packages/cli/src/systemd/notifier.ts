import { execFile } from 'node:child_process';
import type { Environment } from '../settings/flags.ts';
import { printable } from '../output/printable.ts';

/** What systemd is told, as sd_notify(3) has it: `READY`, `STATUS`, `WATCHDOG` and so on. */
export type Notification = Readonly<Record<string, string>>;

/** One that takes longer than this is given up, in ms. */
const SEND_TIMEOUT_MS = 10_000;

/**
 * Tells systemd about this process through `systemd-notify`: Node has no datagram sockets of the Unix kind, and a package
 * with native code for a few messages a minute would cost more than it gives. One message after the other; what comes
 * while one is under way goes out together behind it.
 */
export class Notifier {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #onFailure: (reason: string) => void;
  #waiting: Notification | undefined;
  #sending: Promise<void> | undefined;

  /** `socket` as in NOTIFY_SOCKET. `onFailure` is told once. */
  constructor(socket: string, environment: Environment, onFailure: (reason: string) => void) {
    const { PATH } = environment;
    this.#environment = { NOTIFY_SOCKET: socket, ...(PATH === undefined ? {} : { PATH }) };
    let hasFailed = false;
    this.#onFailure = (reason) => {
      if (!hasFailed) onFailure(reason);
      hasFailed = true;
    };
  }

  /** Never fails, and never waits. A later value takes the place of one that did not go out yet. */
  send(notification: Notification): void {
    this.#waiting = { ...this.#waiting, ...notification };
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Everything has gone out, or was given up. */
  async sent(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined;
      // What others say is in it: a line break would begin another assignment.
      const words = Object.entries(next).map(([name, value]) => `${name}=${printable(value)}`);
      await this.#run(words);
    }
  }

  #run(words: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const options = { env: this.#environment, timeout: SEND_TIMEOUT_MS };
      execFile('systemd-notify', words, options, (error, _stdout, stderr) => {
        if (error) this.#onFailure(stderr.trim() === '' ? error.message : stderr.trim());
        resolve();
      });
    });
  }
}
