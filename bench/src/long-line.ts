import { LoadProcess } from './load/load-process.ts';
import type { RelayCalls } from './load/processes/relay.ts';

/** There and back, in ms. */
export const ROUND_TRIP_MS = 50;

/** A line with a long round trip, in a process of its own: a detour for each path. */
export class LongLine implements AsyncDisposable {
  readonly #relay = new LoadProcess<RelayCalls>('relay');

  readonly detour = (port: number): Promise<number> =>
    this.#relay.call('open', { targetPort: port, delayMs: ROUND_TRIP_MS / 2 });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay[Symbol.asyncDispose]();
  }
}
