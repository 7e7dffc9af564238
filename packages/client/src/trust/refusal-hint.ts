import { TunnelError } from '@tunnel/shared';
import { oddityOf } from '@tunnel/shared/node';
import type { ClientOptions } from '../options.ts';
import { publicKeyOf } from './public-key.ts';

/** Adds what only the client knows about why it was refused: its public key, and what is suspicious about its secret. */
export function withHint(error: TunnelError, options: Pick<ClientOptions, 'identity' | 'secret'>): TunnelError {
  const hint = hintFor(error, options);
  if (hint === undefined) return error;
  return new TunnelError(error.code, { detail: error.detail, hint, cause: error });
}

function hintFor(
  { code, hint }: TunnelError,
  { identity, secret }: Pick<ClientOptions, 'identity' | 'secret'>,
): string | undefined {
  const oddity = secret === undefined ? undefined : oddityOf(secret);
  const doubt =
    oddity === undefined ? '' : `the secret that was given here ${oddity}: leave that out if it is no part of it; or `;
  switch (code) {
    case 'secret-refused':
      return doubt === '' ? undefined : `${doubt}${hint}`;
    case 'key-refused': {
      const key = publicKeyOf(identity);
      // The person who reads this has to hand it on.
      return secret === undefined
        ? `ask the server's admin to add this line to its authorized keys: ${key}`
        : `${doubt}check the secret, or leave it out if the server admits this client by its key; for that its admin adds this line to the authorized keys: ${key}`;
    }
    default:
      return undefined;
  }
}
