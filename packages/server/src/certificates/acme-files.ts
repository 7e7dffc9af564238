import { generateKeyPairSync } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import {
  CacheFile,
  createOnce,
  describeSystemError,
  makePrivateDirectory,
  readTextFile,
  removeFile,
  writeFileAtomic,
} from '@tunnel/shared/node';
import type { IssuerRecord } from './acme-issuer.ts';
import type { KeyPair } from './certificate-store.ts';
import { checkKeyPair, type CheckedKeyPair } from './key-pair.ts';

const SUFFIX = '.pem';

/** What was found on disk. */
export interface KeptCertificates {
  readonly certificates: ReadonlyMap<string, CheckedKeyPair>;
  readonly records: readonly IssuerRecord[];
  readonly damage: readonly TunnelError[];
}

/**
 * The account's key, the certificates and the issuer's records of one authority, in a directory of their own, for their owner
 * alone. All of it but the account can be had again, so that a damaged file is set aside.
 */
export class AcmeFiles {
  readonly #directory: string;
  readonly #records: CacheFile<readonly IssuerRecord[]>;

  constructor(directory: string, directoryUrl: string) {
    // Certificates of an authority for tests are not for use with another one.
    this.#directory = join(directory, directoryUrl.replace(/^https?:\/\//, '').replace(/[^\w.-]+/g, '-'));
    this.#records = new CacheFile(join(this.#directory, 'records.json'), parseRecords);
  }

  get #certificates(): string {
    return join(this.#directory, 'certificates');
  }

  /** Rejects with `state-unusable`. */
  async read(): Promise<KeptCertificates> {
    await makePrivateDirectory(this.#certificates);
    const { value: records = [], damage: recordsDamage } = await this.#records.read();
    const damage: TunnelError[] = recordsDamage ? [recordsDamage] : [];
    const certificates = new Map<string, CheckedKeyPair>();
    const names = await readdir(this.#certificates);
    for (const name of names.filter((each) => each.endsWith(SUFFIX))) {
      const path = join(this.#certificates, name);
      try {
        const text = (await readTextFile(path)) ?? '';
        certificates.set(name.slice(0, -SUFFIX.length), checkKeyPair(split(text)));
      } catch (error) {
        damage.push(await setAside(path, error));
      }
    }
    return { certificates, records, damage };
  }

  /** The account's key in PEM, made with the first call. Rejects with `state-unusable`. */
  async accountKey(): Promise<string> {
    const makeKey = (): string => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    };
    return (await createOnce(join(this.#directory, 'account.pem'), makeKey)).text;
  }

  /** Rejects with `state-unusable`. */
  async write(host: string, { cert, key }: KeyPair): Promise<void> {
    await makePrivateDirectory(this.#certificates);
    await writeFileAtomic(join(this.#certificates, `${host}${SUFFIX}`), `${key.trim()}\n${cert.trim()}\n`);
  }

  async remove(host: string): Promise<void> {
    await removeFile(join(this.#certificates, `${host}${SUFFIX}`));
  }

  async writeRecords(records: readonly IssuerRecord[]): Promise<void> {
    await this.#records.write(records);
  }
}

function split(text: string): KeyPair {
  const at = text.indexOf('-----BEGIN CERTIFICATE');
  return at === -1 ? { key: text, cert: '' } : { key: text.slice(0, at), cert: text.slice(at) };
}

async function setAside(path: string, cause: unknown): Promise<TunnelError> {
  const aside = `${path}.damaged`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const outcome = await rename(path, aside).then(
    () => `set aside as ${aside}`,
    (error: unknown) => `it could not be set aside as ${aside}: ${describeSystemError(error)}`,
  );
  return new TunnelError('cache-damaged', { detail: `${path}: ${reason}; ${outcome}`, cause });
}

function parseRecords(value: unknown): readonly IssuerRecord[] {
  if (!Array.isArray(value)) throw new Error('it is not a list');
  return value.map((entry: unknown, index) => {
    const { host, share, triedAt, issuedAt, failures, pauseUntil } = (entry ?? {}) as Record<string, unknown>;
    const isTime = (time: unknown): time is number | undefined => time === undefined || typeof time === 'number';
    const isRecord = typeof host === 'string' && typeof share === 'string' && isTime(triedAt) && isTime(issuedAt);
    if (!isRecord || typeof failures !== 'number' || typeof pauseUntil !== 'number') {
      throw new Error(`entry ${index + 1} is not a record of an order`);
    }
    return { host, share, triedAt, issuedAt, failures, pauseUntil };
  });
}
