import { createReadStream } from 'node:fs';
import { TunnelError } from '../errors/errors.ts';
import { randomBytes } from './crypto.ts';
import { createOnce, PRIVATE_MODE } from '../state/files.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { firstLine, isUtf16 } from '../state/text.ts';

/** Shorter secrets can be guessed by who impersonates a server at first use: warn. */
export const SAFE_SECRET_CHARACTERS = 16;

/** A secret is no longer than this, in bytes: what a file has behind it is not even read. */
const MAX_SECRET_BYTES = 4096;

const SECRET_BYTES = 18;

/** A new secret of more than 140 bits: 24 letters and digits. */
export function generateSecret(): string {
  for (;;) {
    const text = Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url');
    // A double click selects all of it, and no shell or flag parser trips over it. About every second one will do.
    if (/^[A-Za-z\d]+$/.test(text)) return text;
  }
}

/**
 * The secret in a text that `what` (a flag or variable) gave: its first line, as in a file, because variables that are filled
 * from files often keep the line end. Throws `secret-unusable`.
 */
export function requireSecret(text: string, what: string): string {
  const secret = firstLine(text);
  if (secret === '') throw new TunnelError('secret-unusable', { detail: `${what} is empty` });
  return secret;
}

/**
 * The first line of a file, which `flag` named. Throws `secret-unusable` naming both where it is empty or cannot be
 * read. The file may also be a pipe.
 */
export async function readSecretFile(path: string, flag: string): Promise<string> {
  let text = '';
  try {
    const chunks: AsyncIterable<string> = createReadStream(path, { encoding: 'utf8', end: MAX_SECRET_BYTES });
    for await (const chunk of chunks) {
      text += chunk;
      if (text.includes('\n')) break;
    }
  } catch (error) {
    const detail = `${flag} ${path}: ${describeSystemError(error)}`;
    throw new TunnelError('secret-unusable', { detail, cause: error });
  }
  if (isUtf16(text)) {
    throw new TunnelError('secret-unusable', { detail: `${flag} ${path}: it is in UTF-16`, hint: { id: 'utf16' } });
  }
  const secret = firstLine(text);
  if (secret === '') throw new TunnelError('secret-unusable', { detail: `${flag} ${path}: its first line is empty` });
  if (secret.length > MAX_SECRET_BYTES) {
    throw new TunnelError('secret-unusable', { detail: `${flag} ${path}: its first line is too long` });
  }
  return secret;
}

/** Reads the secret kept in this file, or makes it (mode 0600). Throws `state-damaged` where it is empty. */
export async function loadOrCreateSecret(
  path: string,
): Promise<{ readonly secret: string; readonly created: boolean }> {
  const { text, created } = await createOnce(path, () => `${generateSecret()}\n`, PRIVATE_MODE);
  if (isUtf16(text))
    throw new TunnelError('state-damaged', { detail: `${path}: it is in UTF-16`, hint: { id: 'utf16' } });
  const secret = firstLine(text);
  if (secret === '') {
    throw new TunnelError('state-damaged', {
      detail: `${path}, line 1: the secret is missing`,
      hint: { id: 'secret-damaged' },
    });
  }
  return { secret, created };
}
