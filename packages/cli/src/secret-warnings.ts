import { SAFE_SECRET_CHARACTERS } from '@tunnel/shared/node';
import type { GivenSecret } from './common-flags.ts';
import type { Output } from './output/output.ts';

/** Warns of secrets that others can see or guess. */
export function warnAboutSecret({ secret, isExposed }: GivenSecret, output: Output): void {
  const warn = (reason: string, hint: string): void => {
    if (output.audience === 'people') {
      output.stderr.write(`warning: ${reason}`);
      output.stderr.write(`hint: ${hint}`);
    } else {
      output.log.warn({ hint }, reason);
    }
  };
  if (isExposed) {
    warn(
      'other users of this machine can see a secret on the command line',
      'use --secret-file or TUNNEL_SECRET instead',
    );
  }
  if (secret.length < SAFE_SECRET_CHARACTERS) {
    warn(
      `the secret has fewer than ${SAFE_SECRET_CHARACTERS} characters and can be guessed`,
      'use a long random one, as the server makes by itself',
    );
  }
}
