import { readFileSync } from 'node:fs';
import { ERRORS, TunnelError } from '@tunnel/shared';
import { runCommandLine } from './commands/command-line.ts';
import { adviceFor } from './hints/advice-for.ts';
import { ConfigError } from './config/config-error.ts';
import { jsonEmitter } from './reports/json-events.ts';
import { errorLines, openWriters, type Output, tellEnd, type Writers } from './output/output.ts';
import { hideSecrets } from './process/process-title.ts';

// Node opens its debugger at SIGUSR1 unless somebody listens, which not every command does, nor any from its first moment.
process.on('SIGUSR1', () => {});

/** How long the last lines may take to get out to a reader that is slow, in ms. */
const DRAIN_TIMEOUT_MS = 2_000;
/** And how long the process may then take to end by itself, which it does unless something was left open. */
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
  // Only for faults of our own, where a report needs it.
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

/** Whether the command line asks for events, also where it is wrong in another place. */
function asksForJson(words: readonly string[]): boolean {
  return words.some((word, index) => word === '--output=json' || (word === '--output' && words[index + 1] === 'json'));
}

/** Lets out what was written. `process.exit` at once would cut it off where stdout is a pipe. */
async function end({ stdout, stderr }: Writers, exitCode: number): Promise<void> {
  process.exitCode = exitCode;
  await Promise.all([stdout.drained(DRAIN_TIMEOUT_MS), stderr.drained(DRAIN_TIMEOUT_MS)]);
  setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
}

async function endAfterFault(error: unknown): Promise<never> {
  await end(writers, tellFailure(error));
  process.exit();
}

// Rejections that nobody handled come here as well.
process.on('uncaughtException', (error) => void endAfterFault(error));

// If the event loop runs dry before the command has ended, that is a bug and must not look like success. Node only reports it
// for the module it was started with, which this is not.
process.exitCode = ERRORS.internal.exitCode;
hideSecrets(args);
const exitCode = await runCommandLine(args, {
  version: manifest.version,
  command: process.env['TUNNEL_STARTED_AS'] || 'tunnel',
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
