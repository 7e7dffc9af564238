import { join, resolve } from 'node:path';
import type { Environment } from './flags.ts';
import type { Given } from '../values/given.ts';
import { CommandError } from '../hints/command-error.ts';
import { standardFolder } from './standard-folders.ts';

/** Where this program keeps what it has to remember. */
export interface StateDirectory {
  readonly path: string;
  readonly server: {
    readonly identity: string;
    readonly secret: string;
    readonly lock: string;
    /** A directory with the account at a certificate authority, and the certificates. */
    readonly acme: string;
    /** Which client had which public port. */
    readonly leases: string;
    /** Tells clients on the same machine where the server is. */
    readonly running: string;
  };
  readonly client: {
    readonly identity: string;
    /** A directory with one file for each server address. */
    readonly pins: string;
    /** Which public ports this client had. */
    readonly ports: string;
    /** A directory with one socket for each running client, for `tunnel status` and `tunnel retry`. */
    readonly control: string;
  };
}

/** The files below the state directory: the one that was given, else this user's own. Nothing is made yet. */
export function stateDirectory(given: Given | undefined, environment: Environment): StateDirectory {
  const base = given === undefined ? defaultBase(environment) : resolve(given.text);
  const server = join(base, 'server');
  const client = join(base, 'client');
  return {
    path: base,
    server: {
      identity: join(server, 'identity'),
      secret: join(server, 'secret'),
      lock: join(server, 'lock'),
      acme: join(server, 'acme'),
      leases: join(server, 'leases.json'),
      running: join(server, 'running.json'),
    },
    client: {
      identity: join(client, 'identity'),
      pins: join(client, 'pins'),
      ports: join(client, 'ports.json'),
      control: join(client, 'control'),
    },
  };
}

function defaultBase(environment: Environment): string {
  const folder = standardFolder('state', environment);
  if (folder !== undefined) return folder;
  throw new CommandError('state-unusable', {
    detail: 'this user has no home directory',
    hint: 'give a directory with --state-dir or TUNNEL_STATE_DIR',
  });
}
