import { type Given, unusable } from './given.ts';

/** Reads a TCP port. 0 is allowed with `zero`, and means any free one. */
export function parsePort(given: Given, limits: { readonly zero?: boolean } = {}): number {
  const least = limits.zero === true ? 0 : 1;
  const port = toPort(given.text);
  if (port === undefined || port < least) {
    throw unusable(given, 'not a valid port', `a port is a number from ${least} to 65535`);
  }
  return port;
}

/** A number from 0 to 65535, or undefined. */
export function toPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return port >= 0 && port <= 65_535 ? port : undefined;
}
