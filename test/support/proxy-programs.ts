import { once } from 'node:events';
import { connect } from 'node:net';
import { Program, type ProgramName, freePort } from './program.ts';

/** How often a program that was started is asked whether it listens, in ms. */
const askMs = 50;

/** How often another port is tried, where somebody else was faster. */
const portAttempts = 5;

/** A proxy of some kind on loopback, as a process. */
export interface ProxyProgram extends AsyncDisposable {
  readonly port: number;
  /** What it wrote, for those who look into it. */
  readonly output: string;
  /** Ends it, all at once, and starts it anew on the same port. */
  restart(): Promise<void>;
}

/** Starts a program that listens on the port which its arguments name. */
export async function startProxyProgram(
  name: ProgramName,
  args: (port: number) => readonly string[] | Promise<readonly string[]>,
  env: Readonly<Record<string, string>> = {},
): Promise<ProxyProgram> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const words = await args(port);
    let program = new Program(name, words, env);
    try {
      await listens(program, port);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      if (attempt === portAttempts) throw error;
      continue;
    }
    return {
      port,
      get output() {
        return program.output;
      },
      restart: async () => {
        await program[Symbol.asyncDispose]();
        program = new Program(name, words, env);
        await listens(program, port);
      },
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    };
  }
}

/** Resolves once the program accepts connections; rejects with what it said when it ends. */
async function listens(program: Program, port: number): Promise<void> {
  const ended = new AbortController();
  void program.result.then(() => ended.abort());
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect', { signal: ended.signal });
      return;
    } catch {
      if (ended.signal.aborted) throw new Error(`it does not run:\n${program.output}`);
      await new Promise((resolve) => setTimeout(resolve, askMs));
    } finally {
      socket.destroy();
    }
  }
}
