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

/** A port for the inspector, or none at all. */
export type InspectChoice = number | 'off';

/** Reads `off` or a port; 0 means any free one. */
export function parseInspectChoice(given: Given): InspectChoice {
  if (given.text === 'off') return 'off';
  const port = toPort(given.text);
  if (port === undefined)
    throw unusable(given, 'neither a port nor off', 'give a port of this machine, as in 4040, or off');
  return port;
}
