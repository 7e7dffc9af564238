import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Condition, defaultTimeoutMs } from './condition.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const command = fileURLToPath(new URL('../../packages/cli/dist/tunnel.js', import.meta.url));

export interface TunnelOptions {
  /** Added to an otherwise empty environment (but for PATH, HOME, the XDG directories and coverage). */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the home directory. */
  readonly cwd?: string;
  /** HOME, with state and configuration below it. Default: a new one for each process, removed with it. */
  readonly home?: string;
  /** XDG_STATE_HOME and XDG_CONFIG_HOME, where only one of them is to be shared. Default: below HOME. */
  readonly stateHome?: string;
  readonly configHome?: string;
  /** The program to run instead of the built `tunnel` command. */
  readonly program?: string;
  /** Words in front of the command, of a program that becomes it (execs): `['unshare', '--user']`. Default: none. */
  readonly launcher?: readonly string[];
}

/** One line of `--output json`. */
export interface TunnelEvent {
  readonly event: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

/** One line of the logs. */
export interface LogEntry {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  /** `null` where a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

type EventPredicate = (event: TunnelEvent) => boolean;

/** A running, or ended, `tunnel` command. Every wait fails with all that it printed, and at once when it ends. */
export class TunnelProcess implements AsyncDisposable {
  readonly home: string;
  /** Resolves when the process has ended and all its output is here. */
  readonly exit: Promise<Exit>;
  readonly #args: readonly string[];
  readonly #child: ChildProcess;
  readonly #condition: Condition = new Condition(() => this.#describe());
  readonly #removeHome: () => Promise<void>;
  readonly #events: TunnelEvent[] = [];
  #stdout = '';
  #stderr = '';
  #parsedTo = 0;
  #ended: Exit | undefined;

  /** Use `startTunnel`. `removeHome` is called when the process is disposed of. */
  constructor(args: readonly string[], child: ChildProcess, home: string, removeHome: () => Promise<void>) {
    this.home = home;
    this.#args = args;
    this.#child = child;
    this.#removeHome = removeHome;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#parseLines();
      this.#condition.changed();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#condition.changed();
    });
    // A process that has ended takes no input; its exit says more than EPIPE does.
    child.stdin?.on('error', () => {});
    this.exit = new Promise((resolve, reject) => {
      child.on('error', (error) => {
        this.#condition.close(`the process could not be started: ${error.message}`);
        reject(error);
      });
      child.on('close', (code, signal) => {
        this.#ended = { code, signal };
        this.#condition.close('the process ended');
        resolve(this.#ended);
      });
    });
    // Whoever waits for it sees the failure; nobody has to.
    this.exit.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** All complete lines of stdout that are JSON objects with an `event`, in order. */
  get events(): readonly TunnelEvent[] {
    return this.#events;
  }

  /** The complete lines of stderr, which are logs where it is no terminal. Throws where one of them is something else. */
  get logs(): readonly LogEntry[] {
    const lines = this.#stderr.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /** Resolves with the first event, past or to come, that has this name and meets the predicate. */
  waitForEvent(
    name: string,
    predicate: EventPredicate = () => true,
    timeoutMs: number = defaultTimeoutMs,
  ): Promise<TunnelEvent> {
    return this.#waitForEvent(0, name, predicate, timeoutMs);
  }

  /** As `waitForEvent`, among those that come after this call. */
  waitForNextEvent(
    name: string,
    predicate: EventPredicate = () => true,
    timeoutMs: number = defaultTimeoutMs,
  ): Promise<TunnelEvent> {
    return this.#waitForEvent(this.#events.length, name, predicate, timeoutMs);
  }

  /** Resolves with the first match in all that came on stderr since the start. */
  waitForStderr(pattern: RegExp, timeoutMs: number = defaultTimeoutMs): Promise<RegExpMatchArray> {
    return this.#waitForMatch('stderr', () => this.#stderr.match(pattern), pattern, timeoutMs);
  }

  /** Resolves with the first match in all that came on stdout since the start. */
  waitForStdout(pattern: RegExp, timeoutMs: number = defaultTimeoutMs): Promise<RegExpMatchArray> {
    return this.#waitForMatch('stdout', () => this.#stdout.match(pattern), pattern, timeoutMs);
  }

  /** As `exit`, but fails after `timeoutMs` with what the process printed. */
  async waitForExit(timeoutMs: number = defaultTimeoutMs): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      const fail = (): void => reject(new Error(`no exit within ${timeoutMs} ms; ${this.#describe()}`));
      timer = setTimeout(fail, timeoutMs);
    });
    return Promise.race([this.exit, timeout]).finally(() => clearTimeout(timer));
  }

  /** Sends text to stdin, which is a pipe, not a terminal. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Default SIGTERM; SIGSTOP and SIGCONT work too. `false` if the process has ended. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    return this.#child.kill(signal);
  }

  /** Kills the process if it still runs (SIGKILL), waits for its end, and removes its home directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) this.kill('SIGKILL');
    await this.exit;
    await this.#removeHome();
  }

  async #waitForEvent(from: number, name: string, predicate: EventPredicate, timeoutMs: number): Promise<TunnelEvent> {
    let next = from;
    let found: TunnelEvent | undefined;
    const isMet = (): boolean => {
      for (; found === undefined && next < this.#events.length; next++) {
        const event = this.#events[next];
        if (event?.event === name && predicate(event)) found = event;
      }
      return found !== undefined;
    };
    await this.#condition.until(`event "${name}"`, isMet, timeoutMs);
    return found as unknown as TunnelEvent;
  }

  async #waitForMatch(
    stream: string,
    match: () => RegExpMatchArray | null,
    pattern: RegExp,
    timeoutMs: number,
  ): Promise<RegExpMatchArray> {
    await this.#condition.until(`${String(pattern)} on ${stream}`, () => match() !== null, timeoutMs);
    return match() as RegExpMatchArray;
  }

  #parseLines(): void {
    for (;;) {
      const end = this.#stdout.indexOf('\n', this.#parsedTo);
      if (end === -1) return;
      const line = this.#stdout.slice(this.#parsedTo, end);
      this.#parsedTo = end + 1;
      const event = parseEvent(line);
      if (event !== undefined) this.#events.push(event);
    }
  }

  #describe(): string {
    const state = this.#ended === undefined ? 'running' : `ended with ${JSON.stringify(this.#ended)}`;
    return [
      `tunnel ${this.#args.join(' ')} (pid ${this.pid ?? 'none'}, ${state})`,
      `--- stdout ---\n${this.#stdout}`,
      `--- stderr ---\n${this.#stderr}`,
    ].join('\n');
  }
}

/** Runs `tunnel <args>` from the built command, with a home of its own. */
export async function startTunnel(args: readonly string[], options: TunnelOptions = {}): Promise<TunnelProcess> {
  const temporary = options.home === undefined ? await temporaryDirectory() : undefined;
  const home = options.home ?? temporary?.path ?? '';
  const stateHome = options.stateHome ?? join(home, '.local', 'state');
  const configHome = options.configHome ?? join(home, '.config');
  for (const directory of [stateHome, configHome]) await mkdir(directory, { recursive: true });
  const { PATH, NODE_V8_COVERAGE } = process.env;
  const words = [...(options.launcher ?? []), process.execPath, options.program ?? command, ...args];
  const child = spawn(words[0] ?? process.execPath, words.slice(1), {
    cwd: options.cwd ?? home,
    stdio: 'pipe',
    env: {
      ...(PATH === undefined ? {} : { PATH }),
      ...(NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE }),
      HOME: home,
      XDG_STATE_HOME: stateHome,
      XDG_CONFIG_HOME: configHome,
      ...options.env,
    },
  });
  return new TunnelProcess(args, child, home, async () => temporary?.[Symbol.asyncDispose]());
}

/** What a command left that has ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tunnel` to its end. */
export async function runTunnel(args: readonly string[], options: TunnelOptions = {}): Promise<Ended> {
  await using tunnel = await startTunnel(args, options);
  const { code } = await tunnel.waitForExit();
  return { code, stdout: tunnel.stdout, stderr: tunnel.stderr };
}

function parseEvent(line: string): TunnelEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'event' in value ? (value as TunnelEvent) : undefined;
  } catch {
    return undefined;
  }
}
