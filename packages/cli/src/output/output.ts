import { fstatSync } from 'node:fs';
import { type ErrorCode, ERRORS } from '@tunnel/shared';
import type { OutputSettings } from './output-settings.ts';
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

/** What goes where and in which form, decided once. */
export interface Output {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
  /**
   * `people` read lines on a terminal, `scripts` read JSON from stdout; `pipe` is anything else. The latter two also
   * get logs.
   */
  readonly audience: 'people' | 'scripts' | 'pipe';
  /** How stderr reports problems: as lines for people on a terminal, otherwise only as logs, all in one format. */
  readonly troubles: 'lines' | 'logs';
  /** Silent if nobody wants logs. */
  readonly log: Logger;
}

/** The surroundings in which an output is opened. */
export interface OutputPlace {
  readonly writers: Writers;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Called once there is an output: from then on, whatever ends the program is reported in its format. */
  readonly outputOpened: (output: Output) => void;
}

/** Lines for people on a terminal; elsewhere logs on stderr. */
export async function openOutput(
  settings: OutputSettings,
  { writers, environment, outputOpened }: OutputPlace,
): Promise<Output> {
  const { stdout, stderr, isStdoutTerminal, isStderrTerminal } = writers;
  const audience = settings.output === 'json' ? 'scripts' : isStdoutTerminal ? 'people' : 'pipe';
  // Otherwise someone reading lines on a terminal would read everything twice.
  const isWanted = audience !== 'people' || settings.wantsLogs || !isStderrTerminal;
  const format = settings.logFormat ?? (isStderrTerminal ? 'pretty' : 'json');
  const log = await createLog(stderr, {
    level: isWanted ? settings.logLevel : 'silent',
    format,
    colors: isStderrTerminal && (environment['NO_COLOR'] ?? '') === '',
  });
  const troubles = isStderrTerminal && format === 'pretty' ? 'lines' : 'logs';
  const output: Output = { stdout, stderr, audience, troubles, log };
  outputOpened(output);
  return output;
}

/** Reports a problem that does not end the program: as lines for people, else in the log. */
export function warn(output: Output, reason: string, hint: string): void {
  if (hasLinesForPeople(output)) {
    output.stderr.write(`warning: ${printable(reason)}`);
    output.stderr.write(`hint: ${printable(hint)}`);
  } else {
    output.log.warn({ hint }, reason);
  }
}

/** Reports something that is not a problem, in the same way as `warn`. */
export function say(output: Output, text: string): void {
  if (output.audience === 'people') output.stdout.write(printable(text));
  else output.log.info(text);
}

/** Reports a newly created key file, since a mistyped --identity creates one, too. */
export function tellNewKey(output: Output, whose: 'client' | 'server', { file, publicKey }: NewKey): void {
  if (output.audience !== 'people') output.log.info({ file, publicKey }, `made a new ${whose} key`);
  else say(output, `made a new ${whose} key, since there was none in ${file}; its public key is ${publicKey}`);
}

export interface NewKey {
  readonly file: string;
  /** In the form in which others list it. */
  readonly publicKey: string;
}

/** A failure to report. */
export interface FailureToTell {
  readonly code: ErrorCode;
  /** Each gets a line of its own. */
  readonly reasons: readonly string[];
  readonly hint: string;
}

/** Reports something that is refused while everything else continues. */
export function tellRefusal(output: Output, { code, reasons, hint }: FailureToTell): void {
  if (hasLinesForPeople(output)) for (const line of errorLines(reasons, hint)) output.stderr.write(line);
  else for (const reason of reasons) output.log.error({ code, hint }, reason);
}

/** Reports that the first terminating signal was received. */
export function tellStopping(output: Output, signal: string): void {
  if (output.audience === 'people') output.stdout.write('stopping; Ctrl-C again ends at once');
  else output.log.info({ signal }, 'stopping');
}

/** Reports why the program ends, whatever the log level, as the last chance to do so. `fields` are for logs only. */
export function tellEnd(output: Output, { code, reasons, hint }: FailureToTell, fields: object = {}): void {
  if (output.troubles === 'lines') for (const line of errorLines(reasons, hint)) output.stderr.write(line);
  else {
    const log = output.log.child(fields, { level: 'error' });
    for (const reason of reasons) log.error({ code, exitCode: ERRORS[code].exitCode, hint }, printable(reason));
  }
}

/** Whether people read lines on the terminal, without logs there. */
function hasLinesForPeople({ audience, troubles }: Output): boolean {
  return audience === 'people' && troubles === 'lines';
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
  return new LineWriter(stream, isFile(stream.fd) ? stream.fd : undefined);
}

/** On Windows some outputs, such as NUL, cannot be looked at, and a program without any has no descriptor. */
function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

/** The lines for a failure that ends the program: an `error: …` for each reason, then one `hint: …`. */
export function errorLines(reasons: readonly string[], hint: string): readonly string[] {
  return [...reasons.map((reason) => `error: ${printable(reason)}`), `hint: ${printable(hint)}`];
}
