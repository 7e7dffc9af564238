import { type Given, unusable } from './given.ts';
import { toPort } from './port.ts';

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
