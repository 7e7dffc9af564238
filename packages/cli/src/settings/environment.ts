import { resolve } from 'node:path';
import type { Flag } from './flags.ts';
import type { Given } from '../values/given.ts';

/** A value in the configuration file that a variable overrides with another one. */
export interface Override {
  readonly flag: Flag;
  readonly variable: Given;
  readonly inFile: Given;
}

/** What people should be told about the variables of a command's flags. */
export interface EnvironmentFindings {
  /** Set by somebody else, and not meant for this program. */
  readonly ignored: readonly Given[];
  readonly overrides: readonly Override[];
}

/**
 * Whether Kubernetes set this variable for a service, as it does in all pods of a namespace: `TUNNEL_PORT=tcp://10.0.0.1:7835`
 * for one called `tunnel`, `TUNNEL_MIN_PORT` for one called `tunnel-min`. Docker's links do the same.
 */
export function isServiceLink({ source, text }: Given): boolean {
  return source.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\/[^/\s]+:\d{1,5}$/.test(text);
}

/** Whether the two values differ. Paths from the file are absolute already. */
export function differs({ isPath }: Flag, variable: Given, inFile: Given): boolean {
  return (isPath === true ? resolve(variable.text) : variable.text) !== inFile.text;
}
