import { type Hint, TunnelError } from '@tunnel/shared';
import { oddityOf } from '@tunnel/shared/node';
import type { ClientOptions } from '../options.ts';
import { publicKeyOf } from './public-key.ts';

/** Adds what only the client knows about a refusal: its public key, and what is suspicious about its secret. */
export function withHint(error: TunnelError, options: Pick<ClientOptions, 'identity' | 'secret'>): TunnelError {
  const hint = hintFor(error, options);
  if (hint === undefined) return error;
  const detail = hint.id === 'secret-not-given' ? 'none was given' : error.detail;
  return new TunnelError(error.code, { detail, hint, cause: error });
}

function hintFor(
  { code }: TunnelError,
  { identity, secret }: Pick<ClientOptions, 'identity' | 'secret'>,
): Hint | undefined {
  const oddity = secret === undefined ? undefined : oddityOf(secret);
  switch (code) {
    case 'secret-refused':
      if (secret === undefined) return { id: 'secret-not-given' };
      return oddity === undefined ? undefined : { id: 'secret-suspicious', oddity };
    case 'key-refused': {
      const publicKey = publicKeyOf(identity);
      return secret === undefined
        ? { id: 'key-not-listed', publicKey }
        : { id: 'key-and-secret-refused', publicKey, oddity };
    }
    default:
      return undefined;
  }
}
