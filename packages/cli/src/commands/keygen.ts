import { resolve } from 'node:path';
import { describeSystemError, encodeKey, formatIdentity, generateIdentity, writeNew } from '@tunnel/shared/node';
import { CommandError } from '../hints/command-error.ts';
import type { Context } from '../process/context.ts';

/** `tunnel keygen`: writes a new identity file, prints its public key, and resolves with the exit code. */
export async function runKeygen(file: string, { writers }: Context): Promise<number> {
  const identity = generateIdentity();
  if (!(await create(resolve(file), formatIdentity(identity)))) {
    throw new CommandError('usage', {
      detail: `${file} already exists`,
      hint: 'give a new file name: existing keys are not overwritten',
    });
  }
  writers.stdout.write(encodeKey(identity.publicKey));
  return 0;
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    return await writeNew(path, text);
  } catch (error) {
    throw new CommandError('usage', {
      detail: `${path} cannot be written: ${describeSystemError(error)}`,
      hint: 'give a file in a directory that exists and is writable',
      cause: error,
    });
  }
}
