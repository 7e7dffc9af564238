import { resolve } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, encodeKey, formatIdentity, generateIdentity, writeNew } from '@tunnel/shared/node';
import type { Context } from '../process/context.ts';

/** `tunnel keygen`: writes a new identity file, prints its public key, and resolves with the exit code. */
export async function runKeygen(file: string, { writers }: Context): Promise<number> {
  const identity = generateIdentity();
  if (!(await create(resolve(file), formatIdentity(identity)))) {
    throw new TunnelError('usage', {
      detail: `${file} exists already`,
      hint: 'name a new file: a key that is in use is not overwritten',
    });
  }
  writers.stdout.write(encodeKey(identity.publicKey));
  return 0;
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    return await writeNew(path, text);
  } catch (error) {
    throw new TunnelError('usage', {
      detail: `${path} cannot be written: ${describeSystemError(error)}`,
      hint: 'name a file in a directory that exists and is writable',
      cause: error,
    });
  }
}
