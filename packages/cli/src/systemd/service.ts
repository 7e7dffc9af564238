import type { Environment } from '../settings/flags.ts';
import { type Output, warn } from '../output/output.ts';
import { type Notification, Notifier } from './notifier.ts';

/** How the program stands, for systemd. */
export interface ServiceState {
  /** In words, for `systemctl status`. */
  readonly status: string;
  /** It does what it is there for. Told once. */
  readonly isReady: boolean;
  /** Whether a restart would help nothing: while this is false, the watchdog is not fed. */
  readonly isAlive: boolean;
}

/** How often the state is looked at without a watchdog, in ms. */
const LOOK_INTERVAL_MS = 20_000;

/** How often it is looked at within the watchdog's time: one message that is lost or late is no death. */
const LOOKS_PER_WATCHDOG = 3;

/** A new status waits until the last one is as old as this: each message starts a process. */
const STATUS_INTERVAL_MS = 5_000;

/** What systemd is asked for, beyond what is needed, in ms. */
const MARGIN_MS = 10_000;

/**
 * Keeps systemd informed (sd_notify(3)) where it asked for that with NOTIFY_SOCKET: readiness, a status in words, and the
 * watchdog. A start may take as long as the program lives: it asks for more time again and again.
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

  /** Undefined where no service manager is there. Warns once where one cannot be reached. */
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

  /** The state may be another one. */
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

  /** Runs what takes over a changed configuration. */
  async reloading(work: () => Promise<void>): Promise<void> {
    // To say that it is ready afterwards would be wrong where it never was.
    if (this.#phase !== 'running') return work();
    this.#notifier.send({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
    // In a message of its own: one that says both means only the latter.
    await this.#notifier.sent();
    await work();
    if (this.#phase === 'running') this.#notifier.send({ READY: '1', ...this.#newStatus() });
  }

  /** It was asked to end, and may take as long as this, in ms. */
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

/** The time within which the watchdog wants to hear something; undefined where there is none for this process. */
function watchdogMs(environment: Environment): number | undefined {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
  const timeoutMs = Number(WATCHDOG_USEC) / 1000;
  const isForOther = WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid);
  return timeoutMs > 0 && !isForOther ? timeoutMs : undefined;
}

function microseconds(ms: number): string {
  return String(Math.round(ms * 1000));
}
