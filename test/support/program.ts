import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'vitest';
import { Condition, defaultTimeoutMs } from './condition.ts';

/** Programs that tests run, and the Debian packages that they come in. */
const packages = {
  bash: 'bash',
  caddy: 'caddy',
  chromium: 'chromium',
  curl: 'curl',
  haproxy: 'haproxy',
  fish: 'fish',
  // Ubuntu's chromium is a snap; its machines for CI have this one.
  'google-chrome': 'chromium',
  iperf3: 'iperf3',
  microsocks: 'microsocks',
  // By its full name: `nc` may be another netcat, which knows no -N.
  'nc.openbsd': 'netcat-openbsd',
  nginx: 'nginx-light',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
  promtool: 'prometheus',
  python3: 'python3',
  scp: 'openssh-client',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  zsh: 'zsh',
  wrk: 'wrk',
  'systemd-analyze': 'systemd',
  'systemd-notify': 'systemd',
  tinyproxy: 'tinyproxy',
} as const;

export type ProgramName = keyof typeof packages;

/** Where sshd, nginx and haproxy are, which are on nobody's path but root's. */
const administratorFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** How often another port is tried, where somebody else was faster. */
const portAttempts = 10;

/**
 * Skips the running test where one of these programs is missing, and says what to install. Under CI, where `.ci/run`
 * installs them, the test fails instead.
 */
export function requirePrograms(context: TestContext, ...names: readonly ProgramName[]): void {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return;
  const debianPackages = [...new Set(missing.map((name) => packages[name]))].join(' and ');
  const verb = missing.length === 1 ? 'is' : 'are';
  const message = `${missing.join(' and ')} ${verb} missing: install the Debian package ${debianPackages}`;
  if ((process.env['CI'] ?? '') !== '') throw new Error(message);
  // A note on the test is shown only by some reporters.
  console.warn(`skipped "${context.task.name}": ${message}`);
  context.skip(message);
}

/** Skips the running test where these words in front of a command are not permitted. */
export function requireLauncher(context: TestContext, words: readonly string[]): void {
  const [program, ...args] = [...words, 'true'];
  if (program === undefined || spawnSync(program, args).status !== 0)
    context.skip(`${words.join(' ')} is not permitted here`);
}

/** The program's absolute path, which sshd insists on; undefined where it is missing. */
export function findProgram(name: ProgramName): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...administratorFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

export interface ProgramResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** `null` where a signal ended the program. */
  readonly code: number | null;
}

/** A running, or ended, program. Every wait fails with all that it said, and at once when it ends. */
export class Program implements AsyncDisposable {
  /** Resolves when the program has ended and all its output is here. */
  readonly result: Promise<ProgramResult>;
  readonly #description: string;
  readonly #child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #condition: Condition = new Condition(() => this.#describe());
  #stdoutBytes = 0;
  #ended: { readonly code: number | null } | undefined;

  /** `env` is added to an otherwise empty environment (but for PATH). */
  constructor(name: ProgramName, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#description = [name, ...args].join(' ');
    const { PATH } = process.env;
    // Not the environment of whoever runs the tests: curl takes proxies from it, ssh an agent.
    const environment = { ...(PATH === undefined ? {} : { PATH }), LC_ALL: 'C', ...env };
    this.#child = spawn(findProgram(name) ?? name, args, { stdio: 'pipe', env: environment });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#stdout.push(chunk);
      this.#stdoutBytes += chunk.length;
      this.#condition.changed();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr.push(chunk);
      this.#condition.changed();
    });
    // A program that has ended takes no input; its exit code says more than EPIPE does.
    this.#child.stdin?.on('error', () => {});
    this.result = new Promise((resolve, reject) => {
      this.#child.on('error', (error) => {
        this.#condition.close(`the program could not be started: ${error.message}`);
        reject(error);
      });
      this.#child.on('close', (code) => {
        this.#ended = { code };
        // Whoever waits for the end has it; closing would tell them that they wait in vain.
        this.#condition.changed();
        this.#condition.close('the program ended');
        resolve({ stdout: Buffer.concat(this.#stdout), stderr: Buffer.concat(this.#stderr), code });
      });
    });
    // Whoever waits for it sees the failure; nobody has to.
    this.result.catch(() => {});
  }

  /** What came on stdout so far. */
  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** What came on stdout and stderr so far. */
  get output(): string {
    return `${this.stdout.toString()}\n${Buffer.concat(this.#stderr).toString()}`;
  }

  write(data: string | Uint8Array): void {
    this.#child.stdin?.write(data);
  }

  /** Ends stdin, after `data` if there is any. */
  end(data: string | Uint8Array = ''): void {
    this.#child.stdin?.end(data);
  }

  /** Resolves once this stands in all that came on stdout and stderr since the start. */
  waitForOutput(pattern: RegExp, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.#condition.until(String(pattern), () => pattern.test(this.output), timeoutMs);
  }

  /** Resolves once this many bytes came on stdout. */
  waitForBytes(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.#condition.until(`${count} bytes on stdout`, () => this.#stdoutBytes >= count, timeoutMs);
  }

  /** Resolves with the result of a program that ended with 0, and rejects with what it said for any other end. */
  async success(timeoutMs: number = defaultTimeoutMs): Promise<ProgramResult> {
    await this.#condition.until('the end', () => this.#ended !== undefined, timeoutMs);
    const result = await this.result;
    if (result.code !== 0) throw new Error(this.#describe());
    return result;
  }

  /** Kills the program if it still runs, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) this.#child.kill('SIGKILL');
    await this.result;
  }

  #describe(): string {
    const state = this.#ended === undefined ? 'running' : `ended with ${this.#ended.code ?? 'a signal'}`;
    const stdout = this.stdout.toString('latin1', 0, 4096);
    return `${this.#description} (${state})\n--- stdout ---\n${stdout}\n--- stderr ---\n${Buffer.concat(this.#stderr).toString()}`;
  }
}

/** Runs a program to its end; rejects unless it ends with 0. */
export async function runProgram(
  name: ProgramName,
  args: readonly string[],
  options: { readonly input?: string | Uint8Array; readonly timeoutMs?: number } = {},
): Promise<ProgramResult> {
  await using program = new Program(name, args);
  program.end(options.input);
  return await program.success(options.timeoutMs);
}

/**
 * Starts a program that cannot pick a port by itself, on one that was free a moment ago; again with another one where it
 * ends at once. `listening` is what it says when it is up.
 */
export async function startOnFreePort(
  name: ProgramName,
  args: (port: number) => readonly string[],
  listening: (port: number) => RegExp,
): Promise<{ readonly program: Program; readonly port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const program = new Program(name, args(port));
    try {
      await program.waitForOutput(listening(port));
      return { program, port };
    } catch (error) {
      await program[Symbol.asyncDispose]();
      if (attempt === portAttempts || !/address (is )?already in use/i.test(String(error))) throw error;
    }
  }
}

/** A port of loopback that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
