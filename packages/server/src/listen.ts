import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { generateIdentity, loadOrCreateIdentity } from '@tunnel/shared/node';
import { leaseFile } from './claims/lease-file.ts';
import type { AcmeOptions, ServerOptions } from './options.ts';
import { Server } from './server.ts';

/** What `listen` needs: a `secret`, or `authorizedKeys`. */
export interface ListenOptions extends Omit<ServerOptions, 'identity' | 'leases' | 'acme'> {
  /** Gets certificates for `https`; needs a `stateDirectory` to keep them in. */
  readonly acme?: Omit<AcmeOptions, 'directory'> | undefined;
  /** The server's X25519 private key, 32 bytes. Default: the one in the state directory, or a new one on each call. */
  readonly identity?: Uint8Array;
  /**
   * A directory, for this server alone, that keeps the identity and the public ports of clients across restarts;
   * created if missing. Without it clients meet a different server key after a restart, and those that remember the old
   * one stay away.
   */
  readonly stateDirectory?: string;
  /** Stops the server as `stop` does; before it listens, makes `listen` reject with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Starts a server. Rejects with a `TunnelError`: `listen-in-use`, `listen-denied` or `listen-failed`, `usage` if
 * neither a secret nor keys are given, `keys-unusable`, and `state-damaged` or `state-unusable` for the state
 * directory.
 */
export async function listen(options: ListenOptions): Promise<Server> {
  const { stateDirectory, signal, acme, ...rest } = options;
  signal?.throwIfAborted();
  const identity = options.identity ?? (await readIdentity(stateDirectory));
  const leases = stateDirectory === undefined ? undefined : leaseFile(join(stateDirectory, 'leases.json'));
  if (acme && stateDirectory === undefined) {
    throw new TunnelError('usage', {
      detail: 'acme needs a state directory, or every start would ask for certificates',
    });
  }
  const directory = stateDirectory === undefined ? '' : join(stateDirectory, 'acme');
  const server = new Server({ ...rest, identity, leases, acme: acme && { ...acme, directory } });
  try {
    await server.start();
    signal?.throwIfAborted();
  } catch (error) {
    server.abort();
    throw error;
  }
  if (signal) {
    const stop = (): void => void server.stop();
    signal.addEventListener('abort', stop, { once: true });
    server.once('stopped', () => signal.removeEventListener('abort', stop));
  }
  return server;
}

async function readIdentity(directory: string | undefined): Promise<Uint8Array> {
  const { privateKey } =
    directory === undefined ? generateIdentity() : await loadOrCreateIdentity(join(directory, 'identity'));
  return privateKey;
}
