import { SAFE_SECRET_CHARACTERS } from '@tunnel/shared/node';
import type { GivenSecret } from './common-flags.ts';
import { type Output, warn } from './output/output.ts';

/** Warns of secrets that others can see or guess. */
export function warnAboutSecret({ secret, isExposed }: GivenSecret, output: Output): void {
  if (isExposed) {
    warn(
      output,
      'other users of this machine can see a secret on the command line',
      'use --secret-file or TUNNEL_SECRET instead',
    );
  }
  if (secret.length < SAFE_SECRET_CHARACTERS) {
    warn(
      output,
      `the secret has fewer than ${SAFE_SECRET_CHARACTERS} characters and can be guessed`,
      'use a long random one, as the server makes by itself',
    );
  }
}
