import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Call, Calls, Reply } from './calls.ts';

interface Waiter {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A process that makes load, or takes it; `call` asks it to. */
export class LoadProcess<C extends Calls> implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiters = new Map<number, Waiter>();
  #lastId = 0;

  /** `name` is that of its file in `load/processes`. */
  constructor(name: string) {
    this.#child = fork(join(import.meta.dirname, `${name}.js`), { execArgv: ['--enable-source-maps'] });
    this.pid = this.#child.pid ?? 0;
    this.#child.on('message', (reply: Reply) => {
      const waiter = this.#waiters.get(reply.id);
      this.#waiters.delete(reply.id);
      if ('error' in reply) waiter?.reject(new Error(`${name}: ${reply.error}`));
      else waiter?.resolve(reply.result);
    });
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`the load process ${name} ended (${signal ?? code})`);
      for (const waiter of this.#waiters.values()) waiter.reject(error);
    });
  }

  async call<Name extends keyof C & string>(
    name: Name,
    argument: Parameters<C[Name]>[0],
  ): Promise<Awaited<ReturnType<C[Name]>>> {
    const id = ++this.#lastId;
    const call: Call = { id, name, argument };
    return (await new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#child.send(call);
    })) as Awaited<ReturnType<C[Name]>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
