import { open } from 'node:fs/promises';
import { problemOfCredentials } from '@tunnel/client/internal';
import { describeSystemError } from '@tunnel/shared/node';
import { CommandError } from '../hints/command-error.ts';
import { type Given, unusable } from '../values/given.ts';

/** Such a file is no longer than this. */
const MAX_FILE_BYTES = 64 * 1024;

const HINT = 'give user:password, or @FILE with one of them on each line';

/** What `--basic-auth` gave. */
export interface GivenCredentials {
  readonly given: readonly Given[];
  readonly areOnCommandLine: boolean;
}

export interface Credentials {
  /** Each as `user:password`. */
  readonly credentials: readonly string[];
  /** Those that they were read from. */
  readonly files: readonly string[];
  /** Other users can read one in the list of processes. */
  readonly areExposed: boolean;
}

/** Looks at one value: `user:password`, or `@` and a file that is not read yet. What it says is not told. */
export function parseCredentials(given: Given): string {
  if (fileIn(given) === '') throw unusable(given, 'the path is missing', HINT);
  if (fileIn(given) === undefined) requireCredentials(given.text, given.source);
  return given.text;
}

/** Reads the files among them. Throws `usage`. */
export async function readCredentials({ given, areOnCommandLine }: GivenCredentials): Promise<Credentials> {
  const credentials: string[] = [];
  const files: string[] = [];
  for (const each of given) {
    const file = fileIn(each);
    if (file === undefined) {
      credentials.push(each.text);
      continue;
    }
    files.push(file);
    credentials.push(...(await readLines(each, file)));
  }
  return { credentials, files, areExposed: areOnCommandLine && files.length < given.length };
}

async function readLines(given: Given, path: string): Promise<readonly string[]> {
  let text: string;
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FILE_BYTES + 1));
    if (bytesRead > MAX_FILE_BYTES) throw unusable(given, `the file has more than ${MAX_FILE_BYTES} bytes`, HINT);
    text = buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw unusable(given, describeSystemError(error), 'give a readable file with user:password on each line');
  }
  const lines = text
    .split(/\r?\n/)
    .map((line, index) => [line, `${given.source} ${given.text}, line ${index + 1}`] as const);
  const filled = lines.filter(([line]) => line !== '');
  for (const [line, place] of filled) requireCredentials(line, place);
  if (filled.length === 0) throw unusable(given, 'the file is empty', HINT);
  return filled.map(([line]) => line);
}

function requireCredentials(text: string, place: string): void {
  const problem = problemOfCredentials(text);
  if (problem !== undefined) throw new CommandError('usage', { detail: `${place}: ${problem}`, hint: HINT });
}

function fileIn({ text }: Given): string | undefined {
  return text.startsWith('@') ? text.slice(1) : undefined;
}
