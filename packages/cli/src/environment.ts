import { resolve } from 'node:path';
import type { Flag } from './flags.ts';
import type { Given } from './values/given.ts';

/** A value of the configuration file that does not count, because the environment has another one. */
export interface Override {
  readonly flag: Flag;
  readonly variable: Given;
  readonly inFile: Given;
}

/** What people should know of the variables that stand in for the flags of a command. */
export interface EnvironmentFindings {
  /** Those that are not meant for this program. */
  readonly ignored: readonly Given[];
  readonly overrides: readonly Override[];
}

/**
 * Whether this is what Kubernetes, and Docker for its links, set for a service of the name in front of `_PORT`: for one called
 * `tunnel` that is `TUNNEL_PORT=tcp://10.0.0.1:7835`, for one called `tunnel-min` it would be `TUNNEL_MIN_PORT`.
 */
export function isServiceLink({ source, text }: Given): boolean {
  return source.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\/[^/\s]+:\d{1,5}$/.test(text);
}

/** Whether the environment says something else than the file, in which paths are whole. */
export function differs({ isPath }: Flag, variable: Given, inFile: Given): boolean {
  return (isPath === true ? resolve(variable.text) : variable.text) !== inFile.text;
}
