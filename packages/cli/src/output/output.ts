import { fstatSync } from 'node:fs';
import type { OutputSettings } from '../common-flags.ts';
import { LineWriter } from './line-writer.ts';
import { createLog } from './log.ts';
import { printable } from './printable.ts';
import type { Logger } from 'pino';

type FileStream = NodeJS.WriteStream & { readonly fd: number };

/** Both ends of a program's output. */
export interface Streams {
  readonly stdout: FileStream;
  readonly stderr: FileStream;
}

/** Where a program says what, decided once. */
export interface Output {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
  /** `people` read lines on a terminal; `scripts` read JSON from stdout, `pipe` is anything else, both with logs. */
  readonly audience: 'people' | 'scripts' | 'pipe';
  /** Silent where nobody wants logs. */
  readonly log: Logger;
}

/** Lines for people on a terminal; elsewhere logs on stderr. */
export async function openOutput(
  settings: OutputSettings,
  writers: Writers,
  environment: NodeJS.ProcessEnv,
): Promise<Output> {
  const { stdout, stderr, isStdoutTerminal, isStderrTerminal } = writers;
  const audience = settings.output === 'json' ? 'scripts' : isStdoutTerminal ? 'people' : 'pipe';
  // Who reads lines on a terminal would read everything twice.
  const isWanted = audience !== 'people' || settings.wantsLogs || !isStderrTerminal;
  const log = await createLog(stderr, {
    level: isWanted ? settings.logLevel : 'silent',
    format: settings.logFormat ?? (isStderrTerminal ? 'pretty' : 'json'),
    colors: isStderrTerminal && (environment['NO_COLOR'] ?? '') === '',
  });
  return { stdout, stderr, audience, log };
}

/** Tells of something that ends nothing: as lines where people read them, else in the log. */
export function warn(output: Output, reason: string, hint: string): void {
  if (output.audience === 'people') {
    output.stderr.write(`warning: ${printable(reason)}`);
    output.stderr.write(`hint: ${printable(hint)}`);
  } else {
    output.log.warn({ hint }, reason);
  }
}

/** Tells of something that is as it should be: as `warn`. */
export function say(output: Output, text: string): void {
  if (output.audience === 'people') output.stdout.write(printable(text));
  else output.log.info(text);
}

/** The writers of this process, shared by all that print. */
export interface Writers {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
}

export function openWriters({ stdout, stderr }: Streams): Writers {
  return {
    stdout: openWriter(stdout),
    stderr: openWriter(stderr),
    isStdoutTerminal: stdout.isTTY,
    isStderrTerminal: stderr.isTTY,
  };
}

function openWriter(stream: FileStream): LineWriter {
  return new LineWriter(stream, fstatSync(stream.fd).isFile() ? stream.fd : undefined);
}

/** How a failure that ends the program is told: a line `error: …` for each reason, one line `hint: …`. */
export function errorLines(reasons: string | readonly string[], hint: string): readonly string[] {
  return [...[reasons].flat().map((reason) => `error: ${printable(reason)}`), `hint: ${printable(hint)}`];
}
