import { setTimeout as delay } from 'node:timers/promises';
import type { Direction } from './load/commands.ts';
import { LoadProcess } from './load/load-process.ts';
import type { ServiceCalls } from './load/processes/service.ts';
import type { VisitorCalls } from './load/processes/visitor.ts';
import { cpuSeconds } from './process-figures.ts';
import type { Settings } from './scenario.ts';

/** How long what a path still carries may take to drain, in ms. */
const DRAIN_MS = 60_000;

/** What moved in a while, and what it cost. */
export interface Flow {
  readonly gbitPerSecond: number;
  /** CPU time of the processes that were asked about, in seconds for each 10^9 bytes. */
  readonly cpuSecondsPerGB: number;
}

export interface FlowOptions {
  readonly port: number;
  readonly direction: Direction;
  /** Streams at once; default 1. */
  readonly count?: number;
  /** Whose CPU time is counted; default nobody's. */
  readonly pids?: readonly number[];
  /** Runs while it flows, instead of waiting for `measureMs`. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** A service and a visitor of it, a process each. */
export class Ends implements AsyncDisposable {
  readonly service: LoadProcess<ServiceCalls>;
  readonly visitor: LoadProcess<VisitorCalls>;
  /** Where the service listens. */
  readonly port: number;

  private constructor(service: LoadProcess<ServiceCalls>, visitor: LoadProcess<VisitorCalls>, port: number) {
    this.service = service;
    this.visitor = visitor;
    this.port = port;
  }

  static async start(): Promise<Ends> {
    const service = new LoadProcess<ServiceCalls>('service');
    const visitor = new LoadProcess<VisitorCalls>('visitor');
    return new Ends(service, visitor, await service.call('listen', undefined));
  }

  /** Both processes. */
  get pids(): readonly number[] {
    return [this.service.pid, this.visitor.pid];
  }

  /** Measures bulk streams as the receiving end sees them, after they ran for a while. */
  async flow({ warmUpMs, measureMs }: Settings, options: FlowOptions): Promise<Flow> {
    const { port, direction, count = 1, pids = [], meanwhile = () => delay(measureMs) } = options;
    const received = () =>
      direction === 'up' ? this.service.call('received', undefined) : this.visitor.call('received', undefined);
    await this.visitor.call('startStreams', { port, direction, count });
    await delay(warmUpMs);
    const cpuBefore = cpuSeconds(pids);
    const before = await received();
    await meanwhile();
    const after = await received();
    const cpu = cpuSeconds(pids) - cpuBefore;
    await this.visitor.call('stopStreams', undefined);
    await this.#drained();
    const bytes = after.bytes - before.bytes;
    if (bytes === 0) throw new Error(`nothing moved ${direction} through port ${port}`);
    return {
      gbitPerSecond: (bytes * 8) / (after.atMs - before.atMs) / 1e6,
      cpuSecondsPerGB: cpu / (bytes / 1e9),
    };
  }

  /** Nothing of one figure should still be on the way while the next one is measured. */
  async #drained(): Promise<void> {
    const deadlineMs = performance.now() + DRAIN_MS;
    while ((await this.service.call('openCount', undefined)) > 0) {
      if (performance.now() > deadlineMs) throw new Error('streams that their visitors left do not end');
      await delay(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.visitor[Symbol.asyncDispose]();
    await this.service[Symbol.asyncDispose]();
  }
}
