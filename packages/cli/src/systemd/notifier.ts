import { execFile } from 'node:child_process';
import type { Environment } from '../settings/flags.ts';
import { printable } from '../output/printable.ts';

/** A message for systemd in the terms of sd_notify(3): `READY`, `STATUS`, `WATCHDOG` and so on. */
export type Notification = Readonly<Record<string, string>>;

/** A message that takes longer than this is abandoned, in ms. */
const SEND_TIMEOUT_MS = 10_000;

/**
 * Informs systemd about this process through `systemd-notify`: Node has no Unix datagram sockets, and a package with
 * native code for a few messages a minute would cost more than it gives. Messages are sent one at a time; whatever
 * arrives in the meantime goes out together afterwards.
 */
export class Notifier {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #onFailure: (reason: string) => void;
  #waiting: Notification | undefined;
  #sending: Promise<void> | undefined;

  /** `socket` as in NOTIFY_SOCKET. `onFailure` is called once. */
  constructor(socket: string, environment: Environment, onFailure: (reason: string) => void) {
    const { PATH } = environment;
    this.#environment = { NOTIFY_SOCKET: socket, ...(PATH === undefined ? {} : { PATH }) };
    let hasFailed = false;
    this.#onFailure = (reason) => {
      if (!hasFailed) onFailure(reason);
      hasFailed = true;
    };
  }

  /** Never fails and never waits. A later value replaces one that has not been sent yet. */
  send(notification: Notification): void {
    this.#waiting = { ...this.#waiting, ...notification };
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves once everything has been sent or abandoned. */
  async sent(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined;
      // It contains text from others, in which a line break would start another assignment.
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
