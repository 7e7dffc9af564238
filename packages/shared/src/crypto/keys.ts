import { TunnelError } from '../errors/errors.ts';
import type { Hint } from '../errors/hint.ts';
import { KEY_BYTES } from '../noise/crypto.ts';
import { nodeCrypto, randomBytes } from './crypto.ts';
import { createOnce, PRIVATE_MODE } from '../state/files.ts';
import { firstLine, isUtf16, oddityOf, withoutByteOrderMark } from '../state/text.ts';

/** 32 bytes in base64url without padding. */
const KEY_CHARACTERS = 43;

const IDENTITY_COMMENT = '# tunnel: private key. Whoever has it can pass for its owner: keep it secret, keep it.';

/** A long-lived X25519 key pair. */
export interface Identity {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** A key as text: base64url, 43 characters. */
export function encodeKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64url');
}

/** Reads what `encodeKey` wrote, and nothing else. Throws `key-unusable`, in which `what` names the value. */
export function decodeKey(text: string, what: string): Uint8Array {
  const key = parseKey(text);
  if (key !== undefined) return key;
  // Never quote the text itself: it may be a private key given by mistake.
  const reason =
    oddityOf(text) ??
    (text.length === KEY_CHARACTERS
      ? 'is not in base64url'
      : `has ${text.length} characters instead of ${KEY_CHARACTERS}`);
  throw new TunnelError('key-unusable', { detail: `${what} ${reason}` });
}

/**
 * As `decodeKey`, for a key typed by a person or taken from a variable: ignores surrounding whitespace, line ends and a
 * byte order mark.
 */
export function decodeGivenKey(text: string, what: string): Uint8Array {
  return decodeKey(firstLine(text).trim(), what);
}

/** A new key pair. */
export function generateIdentity(): Identity {
  const privateKey = new Uint8Array(randomBytes(KEY_BYTES));
  return { privateKey, publicKey: nodeCrypto.publicKey(privateKey) };
}

/**
 * Reads an identity file, or creates one (mode 0600) if there is none. Concurrent callers get the same one. Throws
 * `state-damaged` with file and line, or `state-unusable`.
 */
export async function loadOrCreateIdentity(path: string): Promise<Identity & { readonly created: boolean }> {
  const { text, created } = await createOnce(path, () => formatIdentity(generateIdentity()), PRIVATE_MODE);
  return { ...parseIdentity(text, path), created };
}

/** The text of an identity file: a comment, and the private key on a line of its own. */
export function formatIdentity({ privateKey }: Identity): string {
  return `${IDENTITY_COMMENT}\n${encodeKey(privateKey)}\n`;
}

/** Reads the text of an identity file. Throws `state-damaged` naming the file and the line. */
export function parseIdentity(text: string, path: string): Identity {
  const damaged = (line: number, reason: string, hint: Hint = { id: 'identity-damaged' }): TunnelError =>
    new TunnelError('state-damaged', { detail: `${path}, line ${line}: ${reason}`, hint });
  if (isUtf16(text)) throw damaged(1, 'it is in UTF-16', { id: 'utf16' });
  let privateKey: Uint8Array | undefined;
  const lines = withoutByteOrderMark(text).split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (privateKey !== undefined) throw damaged(index + 1, 'there is something after the key');
    privateKey = parseKey(line.trim());
    if (privateKey === undefined) {
      const oddity = oddityOf(line.trim());
      if (oddity !== undefined) throw damaged(index + 1, `the key ${oddity}`, { id: 'identity-key-not-alone' });
      throw damaged(index + 1, `no key, which would be ${KEY_CHARACTERS} characters of base64url`);
    }
  }
  if (privateKey === undefined) throw damaged(Math.max(1, text === '' ? 1 : lines.length - 1), 'the key is missing');
  return { privateKey, publicKey: nodeCrypto.publicKey(privateKey) };
}

function parseKey(text: string): Uint8Array | undefined {
  if (!/^[\w-]{43}$/.test(text)) return undefined;
  const key = new Uint8Array(Buffer.from(text, 'base64url'));
  // The last character has two spare bits: only one of four spellings is canonical.
  return key.length === KEY_BYTES && encodeKey(key) === text ? key : undefined;
}
