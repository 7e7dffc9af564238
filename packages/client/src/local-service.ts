import { connect } from 'node:net';
import { monotonicNow, prepareSocket, type StreamPipe } from '@tunnel/shared/node';
import type { LocalTarget } from './options.ts';
import { type HealthReport, ServiceHealth } from './service-health.ts';

/** A service that does not answer at all is given up after this, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Connects visitors' streams to one local target. */
export class LocalService {
  readonly target: LocalTarget;
  readonly #health = new ServiceHealth();
  readonly #onHealth: (report: HealthReport) => void;

  constructor(target: LocalTarget, onHealth: (report: HealthReport) => void) {
    this.target = target;
    this.#onHealth = onHealth;
  }

  /** Where the service cannot be reached the visitor is reset. */
  serve(pipe: StreamPipe): void {
    const { host, port } = this.target;
    const socket = connect({ host, port, allowHalfOpen: true, autoSelectFamily: true });
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), CONNECT_TIMEOUT_MS);
    const onError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      this.#report(this.#health.failed(error.code ?? error.message, monotonicNow()));
      pipe.reset('service-unavailable');
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      prepareSocket(socket);
      this.#report(this.#health.succeeded(monotonicNow()));
      pipe.attach(socket);
    });
    pipe.expectSocket(() => {
      clearTimeout(timer);
      socket.destroy();
    });
  }

  #report(report: HealthReport | undefined): void {
    if (report) this.#onHealth(report);
  }
}
