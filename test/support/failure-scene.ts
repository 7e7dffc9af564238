import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { startTunnel, type TunnelOptions, type TunnelProcess } from './command.ts';
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts';

/**
 * Has the command believe that a terminal reads it, which Node tells by these fields: it then prints what a person sees
 * there, on stdout, and no logs.
 */
const ON_TERMINAL = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent('for (const stream of [process.stdin, process.stdout, process.stderr]) stream.isTTY = true')}`,
};

/** What varies from run to run, and is not known beforehand. In this order. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/^\d\d:\d\d:\d\d(?= {2})/gm, '<time>'],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<date and time>'],
  [/\b(since) (?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d/g, '$1 <time>'],
  [/(next in|again in|attempt {2}in|after|for) (?:(?:\d+m )?[\d.]+(?:ms|s|m)\b)/g, '$1 <duration>'],
  [/(?:\d+m )?[\d.]+(?:ms|s|m) ago\b/g, '<duration> ago'],
  [/\b[\da-f]{4}(?:-[\da-f]{4}){3}\b/g, '<key>'],
  [/(?<=client\/pins\/)\S+?_[\da-f]{16}/g, '<address>'],
  [/\bprocess \d+/g, 'process <number>'],
  [/^( {2}process +)\d+$/gm, '$1<number>'],
  [/^( {2}round trip +).*$/gm, '$1<duration>'],
];

/** What was seen of a failure. */
export interface Seen {
  readonly lines: readonly string[];
  readonly outcome: string;
}

/** One failure as a person meets it: processes with a home directory of their own, and what they print. */
export class FailureScene implements AsyncDisposable {
  readonly home: string;
  readonly #directory: TemporaryDirectory;
  readonly #processes: TunnelProcess[] = [];
  readonly #cleanups: (() => Promise<void>)[] = [];
  readonly #placeholders: (readonly [text: string, placeholder: string])[] = [];

  private constructor(directory: TemporaryDirectory) {
    this.home = directory.path;
    this.#directory = directory;
    this.#placeholders.push([directory.path, '~']);
  }

  static async create(): Promise<FailureScene> {
    return new FailureScene(await temporaryDirectory());
  }

  /** A path below the state directory. */
  state(...parts: readonly string[]): string {
    return join(this.home, '.local/state/tunnel', ...parts);
  }

  /** Calls this text, wherever it is printed, by a name. */
  call<Text extends string | number>(name: string, text: Text): Text {
    this.#placeholders.push([String(text), `<${name}>`]);
    return text;
  }

  /** Is disposed of with the scene, before those that came earlier. */
  own<Thing extends AsyncDisposable>(thing: Thing): Thing {
    this.#cleanups.push(async () => thing[Symbol.asyncDispose]());
    return thing;
  }

  async start(args: readonly string[], options: TunnelOptions = {}): Promise<TunnelProcess> {
    const tunnel = this.own(await startTunnel(args, { home: this.home, ...options }));
    this.#processes.push(tunnel);
    return tunnel;
  }

  startOnTerminal(args: readonly string[], options: TunnelOptions = {}): Promise<TunnelProcess> {
    return this.start(args, { ...options, env: { ...ON_TERMINAL, ...options.env } });
  }

  /** Runs a command to its end: all that it prints but what it begins with, and its exit code. */
  async ends(args: readonly string[], options: TunnelOptions = {}): Promise<Seen> {
    const tunnel = await this.startOnTerminal(args, options);
    const { code } = await tunnel.waitForExit();
    return { lines: [this.#commandLine(args), ...this.#lines(tunnel)], outcome: `Exit code ${code}.` };
  }

  /** As `ends`, of a command that goes on: the lines that match this. */
  async tells(args: readonly string[], pattern: RegExp, outcome: string, options: TunnelOptions = {}): Promise<Seen> {
    const tunnel = await this.startOnTerminal(args, options);
    const [told] = await tunnel.waitForStdout(pattern);
    const { lines } = this.excerpt(told, outcome);
    return { lines: [this.#commandLine(args), ...lines], outcome };
  }

  /** Text that was printed, as the document has it. */
  excerpt(text: string, outcome: string): Seen {
    return { lines: this.#normalized(text), outcome };
  }

  /** All that all processes printed. */
  get output(): string {
    return this.#processes.map(({ stdout, stderr }) => stdout + stderr).join('');
  }

  /** What must not be printed, as far as it is in files: private keys, secrets. */
  get secretsOnDisk(): readonly string[] {
    return readdirSync(this.home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /identity|secret/.test(basename(entry.name)))
      .flatMap((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8').split('\n'))
      .filter((line) => line.length > 8 && !line.startsWith('#'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
    await this.#directory[Symbol.asyncDispose]();
  }

  #commandLine(args: readonly string[]): string {
    return this.#normalized(`$ tunnel ${args.join(' ')}`).join('\n');
  }

  #lines({ stdout, stderr }: TunnelProcess): readonly string[] {
    return this.#normalized((stdout + stderr).replace(/^(?:made a new \w+ key, .*\n)?(?:connecting to .*\n)?/, ''));
  }

  #normalized(text: string): readonly string[] {
    let result = text.trimEnd();
    for (const [literal, placeholder] of this.#placeholders.toSorted(([a], [b]) => b.length - a.length)) {
      result = /^\d+$/.test(literal)
        ? result.replaceAll(new RegExp(`(?<![\\d.])${literal}(?![\\d.]*\\d)`, 'g'), placeholder)
        : result.replaceAll(literal, placeholder);
    }
    for (const [pattern, placeholder] of VARYING) result = result.replaceAll(pattern, placeholder);
    return result.split('\n');
  }
}
