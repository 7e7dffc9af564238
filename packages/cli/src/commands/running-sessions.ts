import { isDeepStrictEqual } from 'node:util';
import type { Client, ClientEvents } from '@tunnel/client';
import { createInternalClient, type ExchangeRecorder } from '@tunnel/client/internal';
import { type ClientPlan, isSameSession } from '../settings/client-plan.ts';
import { openControl } from '../control/open-control.ts';
import { clientReporters, tellConnecting } from '../reports/client-reporters.ts';
import { count } from '../reports/client-text.ts';
import { adviceOf } from '../hints/advice-for.ts';
import { adviceWithProxy } from '../settings/proxy-choice.ts';
import { type Output, tellEnd } from '../output/output.ts';
import { reportEvents } from '../output/reporter.ts';

type End = ClientEvents['stopped'];

interface RunningSession {
  plan: ClientPlan;
  readonly client: Client;
  /** Undefined while it lives. */
  end: End | undefined;
  readonly ended: Promise<void>;
}

/** Follows which clients there are. */
export interface SessionWatcher {
  readonly onStarting: (client: Client, plan: ClientPlan) => void;
  /** It has stopped, and is not wanted any more. One that failed for good still is. */
  readonly onRemoved: (client: Client) => void;
}

/**
 * The clients of one process, one for each server and way to reach it. A fatal failure of one does not end the others; it is
 * over when all are, or after `stop`.
 */
export class RunningSessions {
  /** The end of the last one: with 0 after `stop`, else of the first that failed. */
  readonly ended: Promise<End>;
  readonly #controlDirectory: string;
  readonly #output: Output;
  readonly #canPressEnter: boolean;
  readonly #recorder: ExchangeRecorder | undefined;
  readonly #watcher: SessionWatcher;
  readonly #resolveEnded: (end: End) => void;
  #sessions: readonly RunningSession[] = [];
  #state: 'applying' | 'running' | 'stopping' = 'running';

  /** `recorder`: where requests are recorded, if they are. */
  constructor(
    controlDirectory: string,
    output: Output,
    canPressEnter: boolean,
    recorder: ExchangeRecorder | undefined,
    watcher: SessionWatcher,
  ) {
    this.#controlDirectory = controlDirectory;
    this.#output = output;
    this.#canPressEnter = canPressEnter;
    this.#recorder = recorder;
    this.#watcher = watcher;
    ({ promise: this.ended, resolve: this.#resolveEnded } = withResolvers<End>());
  }

  /**
   * Makes the sessions these: what is as it was goes on untouched, and so do the connections in sessions of which only some
   * tunnels change. Those that have ended are started again. Resolves with what changed, for people.
   */
  async apply(plans: readonly ClientPlan[]): Promise<string> {
    if (this.#state !== 'running') return 'it is stopping';
    this.#state = 'applying';
    const before = this.#sessions;
    const kept = new Map<ClientPlan, RunningSession>();
    for (const plan of plans) {
      const session = before.find(({ plan: old, end }) => end === undefined && isSameSession(old, plan));
      if (session) kept.set(plan, session);
    }
    const retained = new Set(kept.values());
    const removed = before.filter((session) => !retained.has(session));
    this.#sessions = [...retained];
    // First: another session may be waiting for the port of a tunnel that goes.
    await Promise.all(removed.map(({ client, ended }) => client.stop().then(() => ended)));
    for (const { client } of removed) this.#watcher.onRemoved(client);
    let changed = 0;
    for (const [plan, session] of kept) {
      if (!isDeepStrictEqual(session.plan.options.tunnels, plan.options.tunnels)) {
        changed += 1;
        session.plan = plan;
        await session.client.setTunnels(plan.options.tunnels);
      }
      session.client.retryNow();
    }
    const added = plans.filter((plan) => !kept.has(plan));
    for (const plan of added) if (this.#isApplying()) await this.#start(plan);
    if (this.#isApplying()) this.#state = 'running';
    this.#settle();
    return described({ started: added.length, ended: removed.length, changed, 'as before': kept.size - changed });
  }

  /** Ends all of them cleanly. */
  stop(): void {
    this.#state = 'stopping';
    for (const { client } of this.#sessions) void client.stop();
    this.#settle();
  }

  /** Ends all of them at once. */
  abort(): void {
    this.#state = 'stopping';
    for (const { client } of this.#sessions) client.abort();
  }

  /** Has those try now that wait. */
  retryNow(): void {
    for (const { client } of this.#sessions) client.retryNow();
  }

  #isApplying(): boolean {
    return this.#state === 'applying';
  }

  async #start(plan: ClientPlan): Promise<void> {
    const output = this.#output;
    const { address: server } = plan;
    const client = createInternalClient({ ...plan.options, recorder: this.#recorder });
    const { promise: ended, resolve } = withResolvers<void>();
    const session: RunningSession = { plan, client, end: undefined, ended };
    this.#sessions = [...this.#sessions, session];
    const prefix = (): string => (this.#sessions.length > 1 ? `${server}: ` : '');
    for (const reporter of clientReporters(output, {
      server,
      canPressEnter: this.#canPressEnter,
      isOneOfMany: true,
      unusedProxy: plan.unusedProxy,
      prefix,
    })) {
      reportEvents(client, reporter);
    }
    this.#watcher.onStarting(client, plan);
    const control = openControl(this.#controlDirectory, client, output);
    client.on('stopped', (end) => {
      session.end = end;
      if (end.exitCode !== 0) {
        const { code, reason } = end;
        const { text: hint } = adviceWithProxy(plan.unusedProxy, code, adviceOf(end.hint));
        const told = output.troubles === 'lines' ? `${prefix()}${reason}` : reason;
        tellEnd(output, { code, reasons: [told], hint }, { server });
      }
      void (async () => {
        await (await control)?.[Symbol.asyncDispose]();
        resolve();
        this.#settle();
      })();
    });
    tellConnecting(plan, output);
    await control;
    // Unless it was stopped meanwhile.
    client.start();
  }

  #settle(): void {
    const ends = this.#sessions.flatMap(({ end }) => end ?? []);
    if (this.#isApplying() || ends.length < this.#sessions.length) return;
    const [failed = STOPPED] = ends.filter(({ exitCode }) => exitCode !== 0);
    this.#resolveEnded(this.#state === 'stopping' ? STOPPED : failed);
  }
}

/** `1 session started, 2 as before` */
function described(counts: Readonly<Record<string, number>>): string {
  const [first = '', ...others] = Object.entries(counts)
    .filter(([, number]) => number > 0)
    .map(([what, number], index) => `${index === 0 ? count(number, 'session') : number} ${what}`);
  return [first, ...others].join(', ');
}

const STOPPED: End = { exitCode: 0, code: 'stopped', reason: 'stopped', hint: { id: 'stopped' } };

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
