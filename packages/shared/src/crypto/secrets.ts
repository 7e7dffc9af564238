import { createReadStream } from 'node:fs';
import { TunnelError } from '../errors/errors.ts';
import { randomBytes } from './crypto.ts';
import { createOnce, PRIVATE_MODE } from '../state/files.ts';
import { describeSystemError } from '../net/system-errors.ts';
import { firstLine, isUtf16 } from '../state/text.ts';

/** Warn about shorter secrets: whoever impersonates a server on first use could guess them. */
export const SAFE_SECRET_CHARACTERS = 16;

/** The longest secret, in bytes. No more than this is read of a file. */
const MAX_SECRET_BYTES = 4096;

const SECRET_BYTES = 18;

/** A new secret of 24 letters and digits, more than 140 bits. */
export function generateSecret(): string {
  for (;;) {
    const text = Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url');
    // A double click selects all of it, and no shell or flag parser trips over it. About every second candidate
    // qualifies.
    if (/^[A-Za-z\d]+$/.test(text)) return text;
  }
}

/**
 * The secret in a text given by `what` (a flag or variable): its first line, as in a file, because variables filled
 * from files often keep the line end. Throws `secret-unusable`.
 */
export function requireSecret(text: string, what: string): string {
  const secret = firstLine(text);
  if (secret === '') throw new TunnelError('secret-unusable', { detail: `${what} is empty` });
  return secret;
}

/**
 * The first line of the file named by `flag`; it may be a pipe. Throws `secret-unusable`, naming both, if it is empty
 * or cannot be read.
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

/** Reads the secret in this file, or creates it (mode 0600). Throws `state-damaged` if the file is empty. */
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
