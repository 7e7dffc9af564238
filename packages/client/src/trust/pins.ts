import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { TunnelError } from '@tunnel/shared';
import { createOnce, decodeKey, encodeKey, readTextFile } from '@tunnel/shared/node';
import type { PinStore } from '../options.ts';

/** As much of an address as a person needs to find the file; the hash after it distinguishes addresses. */
const MAX_READABLE_CHARACTERS = 60;
const HASH_CHARACTERS = 16;

/** Keeps pins in a directory, one small text file per server address. An existing pin is never replaced. */
export class PinDirectory implements PinStore {
  readonly #directory: string;

  /** The directory is created with the first pin. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(address: string): Promise<Uint8Array | undefined> {
    const path = this.describe(address);
    const text = await readTextFile(path);
    return text === undefined ? undefined : parsePin(text, address, path);
  }

  async write(address: string, key: Uint8Array): Promise<void> {
    const path = this.describe(address);
    const { text } = await createOnce(path, () => formatPin(address, key));
    if (Buffer.compare(parsePin(text, address, path), key) === 0) return;
    // Two clients met different servers at this address, both for the first time: one of the servers is an impostor.
    throw new TunnelError('server-key-changed', { detail: `another key has just been pinned, in ${path}` });
  }

  describe(address: string): string {
    return join(this.#directory, pinFileName(address));
  }
}

/** A file name for an address: readable, safe on every file system, and unique. */
export function pinFileName(address: string): string {
  const readable = address.replaceAll(/[^A-Za-z\d.-]+/g, '_').slice(0, MAX_READABLE_CHARACTERS);
  const hash = createHash('sha256').update(address).digest('hex').slice(0, HASH_CHARACTERS);
  return `${readable}_${hash}`;
}

function formatPin(address: string, key: Uint8Array): string {
  return [
    '# The key of a tunnel server, as it was when this client first connected to it. Only a server that has it is trusted.',
    `address ${address}`,
    `key ${encodeKey(key)}`,
    '',
  ].join('\n');
}

function parsePin(text: string, address: string, path: string): Uint8Array {
  const damaged = (line: number, reason: string): TunnelError =>
    new TunnelError('state-damaged', { detail: `${path}, line ${line}: ${reason}`, hint: { id: 'pin-damaged' } });
  let key: Uint8Array | undefined;
  let isForAddress = false;
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value] = /^(\w+) (\S+)$/.exec(line) ?? [];
    if (name === 'address') {
      if (value !== address) throw damaged(index + 1, `the address is not ${address}`);
      isForAddress = true;
    } else if (name === 'key' && value !== undefined) {
      try {
        key = decodeKey(value, 'the key');
      } catch (error) {
        throw damaged(index + 1, error instanceof TunnelError ? error.detail : String(error));
      }
    } else {
      throw damaged(index + 1, 'neither an address nor a key');
    }
  }
  if (!isForAddress) throw damaged(lines.length, 'the address is missing');
  if (key === undefined) throw damaged(lines.length, 'the key is missing');
  return key;
}
