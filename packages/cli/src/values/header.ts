import type { HeaderField } from '@tunnel/client';
import { problemOfHeader, problemOfHeaderName } from '@tunnel/client/internal';
import { CommandError } from '../hints/command-error.ts';
import { type Given, unusable } from './given.ts';

/** Reads `Name: value`. The value may be a secret, and is not told. */
export function parseHeader({ text, source }: Given): HeaderField {
  const [, name, value = ''] = /^([^:]*):[ \t]*([^]*?)[ \t]*$/.exec(text) ?? [];
  const problem = name === undefined ? 'the colon behind the name is missing' : problemOfHeader({ name, value });
  if (name !== undefined && problem === undefined) return { name, value };
  throw new CommandError('usage', { detail: `${source}: ${problem}`, hint: hintFor(name, "give 'Name: value'") });
}

/** Reads the name of a header. */
export function parseHeaderName(given: Given): string {
  const problem = problemOfHeaderName(given.text);
  if (problem === undefined) return given.text;
  throw unusable(given, problem, hintFor(given.text, 'give the name of a header, without its value'));
}

function hintFor(name: string | undefined, otherwise: string): string {
  return name?.toLowerCase() === 'host' ? 'use --host-header' : otherwise;
}
