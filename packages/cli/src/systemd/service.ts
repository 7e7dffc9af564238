import type { Environment } from '../settings/flags.ts';
import { type Output, warn } from '../output/output.ts';
import { type Notification, Notifier } from './notifier.ts';

/** The state of the program, for systemd. */
export interface ServiceState {
  /** In words, for `systemctl status`. */
  readonly status: string;
  /** It provides its service. Reported once. */
  readonly isReady: boolean;
  /** False if only a restart can help; the watchdog is then no longer fed. */
  readonly isAlive: boolean;
}

/** How often the state is checked without a watchdog, in ms. */
const LOOK_INTERVAL_MS = 20_000;

/** How often it is checked within the watchdog's timeout, so that one lost or late message is not fatal. */
const LOOKS_PER_WATCHDOG = 3;

/** A new status waits until the last one is this old, since each message starts a process. */
const STATUS_INTERVAL_MS = 5_000;

/** Extra time requested from systemd beyond what is needed, in ms. */
const MARGIN_MS = 10_000;

/**
 * Keeps systemd informed (sd_notify(3)) if it asked for that with NOTIFY_SOCKET: readiness, a status text, and the
 * watchdog. Starting may take forever, so it keeps requesting more time.
 */
export class Service implements AsyncDisposable {
  readonly #notifier: Notifier;
  readonly #look: () => ServiceState;
  readonly #hasWatchdog: boolean;
  readonly #lookIntervalMs: number;
  readonly #timer: NodeJS.Timeout;
  #statusTimer: NodeJS.Timeout | undefined;
  #status = '';
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  /** Undefined without a service manager. Warns once if it cannot be reached. */
  static open(environment: Environment, output: Output, look: () => ServiceState): Service | undefined {
    const socket = environment['NOTIFY_SOCKET'] ?? '';
    if (socket === '') return undefined;
    const onFailure = (reason: string): void => {
      warn(output, `systemd cannot be told how this service is: ${reason}`, 'the tunnel itself goes on without that');
    };
    return new Service(new Notifier(socket, environment, onFailure), watchdogMs(environment), look);
  }

  private constructor(notifier: Notifier, watchdogTimeoutMs: number | undefined, look: () => ServiceState) {
    this.#notifier = notifier;
    this.#look = look;
    this.#hasWatchdog = watchdogTimeoutMs !== undefined;
    this.#lookIntervalMs = Math.min(LOOK_INTERVAL_MS, (watchdogTimeoutMs ?? Infinity) / LOOKS_PER_WATCHDOG);
    this.#timer = setInterval(() => this.#pulse(), this.#lookIntervalMs);
    this.#pulse();
  }

  /** The state may have changed. */
  changed(): void {
    if (this.#phase === 'starting' && this.#look().isReady) {
      this.#phase = 'running';
      this.#notifier.send({ READY: '1', ...this.#newStatus() });
      return;
    }
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      this.#send(this.#newStatus());
    }, STATUS_INTERVAL_MS);
  }

  /** Runs the code that applies a changed configuration. */
  async reloading(work: () => Promise<void>): Promise<void> {
    // If it has never been ready, saying so afterwards would be wrong.
    if (this.#phase !== 'running') return work();
    this.#notifier.send({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
    // As a separate message: in a combined one only the latter would count.
    await this.#notifier.sent();
    await work();
    if (this.#phase === 'running') this.#notifier.send({ READY: '1', ...this.#newStatus() });
  }

  /** The program was asked to stop, and may take this long, in ms. */
  stopping(withinMs: number): void {
    this.#phase = 'stopping';
    this.#notifier.send({
      STOPPING: '1',
      EXTEND_TIMEOUT_USEC: microseconds(withinMs + MARGIN_MS),
      ...this.#newStatus(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#statusTimer);
    await this.#notifier.sent();
  }

  #pulse(): void {
    const { isReady, isAlive } = this.#look();
    const isStarting = this.#phase === 'starting';
    if (isStarting && isReady) this.#phase = 'running';
    this.#send({
      ...(isStarting && isReady ? { READY: '1' } : {}),
      ...(isStarting && !isReady && isAlive
        ? { EXTEND_TIMEOUT_USEC: microseconds(this.#lookIntervalMs + MARGIN_MS) }
        : {}),
      ...(this.#hasWatchdog && isAlive ? { WATCHDOG: '1' } : {}),
      ...this.#newStatus(),
    });
  }

  #newStatus(): Notification {
    const { status } = this.#look();
    if (status === this.#status) return {};
    this.#status = status;
    return { STATUS: status };
  }

  #send(notification: Notification): void {
    if (Object.keys(notification).length > 0) this.#notifier.send(notification);
  }
}

/** The watchdog's timeout; undefined if it does not watch this process. */
function watchdogMs(environment: Environment): number | undefined {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
  const timeoutMs = Number(WATCHDOG_USEC) / 1000;
  const isForOther = WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid);
  return timeoutMs > 0 && !isForOther ? timeoutMs : undefined;
}

function microseconds(ms: number): string {
  return String(Math.round(ms * 1000));
}
