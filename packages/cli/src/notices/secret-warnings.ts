import { oddityOf, SAFE_SECRET_CHARACTERS } from '@tunnel/shared/node';
import type { GivenSecret } from '../settings/common-flags.ts';
import { type Output, warn } from '../output/output.ts';
import type { ClientPlan } from '../settings/client-plan.ts';
import type { ChosenProxy } from '../settings/proxy-choice.ts';

/** Warns about secrets that others can see or guess, and about quotation marks and blanks around them. */
export function warnAboutSecret({ secret, file, isExposed }: GivenSecret, output: Output): void {
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
  warnAboutOddity(file === undefined ? 'the secret' : `the secret in ${file}`, secret, output);
}

/**
 * Warns about quotation marks and blanks around a secret; `what` names it. They are kept, since the other side may have
 * them too.
 */
export function warnAboutOddity(what: string, secret: string, output: Output): void {
  const oddity = oddityOf(secret);
  if (oddity === undefined) return;
  warn(output, `${what} ${oddity}, which counts as part of it`, 'remove that, unless the other side has it as well');
}

interface ExposedConfig {
  readonly path: string;
  /**
   * What kind of value it holds, such as `a secret`; undefined if nobody else can read it or there is nothing to hide.
   */
  readonly exposed: string | undefined;
}

/** Warns about a secret or a password in a configuration file that others can read. */
export function warnAboutConfig(config: ExposedConfig | undefined, output: Output): void {
  if (config?.exposed === undefined) return;
  const { path, exposed } = config;
  warn(
    output,
    `other users of this machine can read ${path}, and there is ${exposed} in it`,
    `chmod 600 ${path}${exposed === 'a secret' ? ', or use secret-file instead' : ''}`,
  );
}

/** Warns about a visitor's password that others can see. */
export function warnAboutPassword({ exposesPassword }: Pick<ClientPlan, 'exposesPassword'>, output: Output): void {
  if (!exposesPassword) return;
  warn(output, 'other users of this machine can see a password on the command line', 'use --basic-auth @FILE instead');
}

/** Warns about a proxy's password that others can see. */
export function warnAboutProxy({ isExposed }: ChosenProxy, output: Output): void {
  if (!isExposed) return;
  warn(
    output,
    "other users of this machine can see the proxy's password on the command line",
    'use HTTPS_PROXY or HTTP_PROXY instead, or the configuration file',
  );
}
