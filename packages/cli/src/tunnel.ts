import { readFileSync } from 'node:fs';
import { ERRORS, TunnelError } from '@tunnel/shared';
import { runCommandLine } from './commands/command-line.ts';
import { adviceFor } from './hints/advice-for.ts';
import { ConfigError } from './config/config-error.ts';
import { jsonEmitter } from './reports/json-events.ts';
import { errorLines, openWriters, type Output, tellEnd, type Writers } from './output/output.ts';
import { hideSecrets } from './process/process-title.ts';

// Node opens its debugger on SIGUSR1 unless there is a listener. Not every command has one, and none has it from the
// start.
process.on('SIGUSR1', () => {});

/** How long flushing the last lines to a slow reader may take, in ms. */
const DRAIN_TIMEOUT_MS = 2_000;
/** How long the process may then take to end by itself, as it does unless something was left open. */
const EXIT_GRACE_MS = 1_000;

// src/ and dist/ are siblings, so the same path finds the manifest from the source and from the bundle.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

const args = process.argv.slice(2);
const writers = openWriters(process);
let wantsEvents = asksForJson(args);
let output: Output | undefined;

function tellFailure(error: unknown): number {
  const isExpected = error instanceof TunnelError;
  const failure = isExpected ? error : new TunnelError('internal', { detail: describe(error), cause: error });
  const { code, kind } = failure;
  const hint = adviceFor(failure).text;
  const reason = code === 'usage' ? failure.detail : failure.message;
  if (wantsEvents) {
    jsonEmitter(
      (line) => writers.stdout.write(line),
      () => new Date(),
    )('stopped', { exitCode: kind.exitCode, code, reason, hint });
  }
  const reasons = error instanceof ConfigError ? error.lines : [reason];
  // Only for our own bugs, to be included in a report.
  const stack = !isExpected && error instanceof Error ? error.stack : undefined;
  if (output?.troubles === 'logs') {
    tellEnd(output, { code, reasons, hint }, stack === undefined ? {} : { stack });
  } else {
    for (const line of errorLines(reasons, hint)) writers.stderr.write(line);
    if (stack !== undefined) writers.stderr.write(stack);
  }
  return kind.exitCode;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether the command line requests JSON events, even if it is otherwise invalid. */
function asksForJson(words: readonly string[]): boolean {
  return words.some((word, index) => word === '--output=json' || (word === '--output' && words[index + 1] === 'json'));
}

/** Flushes what was written. `process.exit` right away would cut it off if stdout is a pipe. */
async function end({ stdout, stderr }: Writers, exitCode: number): Promise<void> {
  process.exitCode = exitCode;
  await Promise.all([stdout.drained(DRAIN_TIMEOUT_MS), stderr.drained(DRAIN_TIMEOUT_MS)]);
  setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
}

async function endAfterFault(error: unknown): Promise<never> {
  await end(writers, tellFailure(error));
  process.exit();
}

// Unhandled rejections end up here as well.
process.on('uncaughtException', (error) => void endAfterFault(error));

// If the event loop runs dry before the command has ended, that is a bug and must not look like success. Node only reports it
// for the module it was started with, which this is not.
process.exitCode = ERRORS.internal.exitCode;
hideSecrets(args);
const exitCode = await runCommandLine(args, {
  version: manifest.version,
  command: process.env['TUNNEL_STARTED_AS'] || 'tunnel',
  bundleFolder: new URL('../dist/', import.meta.url),
  environment: process.env,
  writers,
  outputIs: (format) => {
    wantsEvents = format === 'json';
  },
  outputOpened: (opened) => {
    output = opened;
  },
}).catch(tellFailure);
await end(writers, exitCode);
