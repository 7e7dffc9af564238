import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
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

/** In characters, without the suffix. */
const FILE_NAME_LIMIT = 180;

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
        const pair = checkKeyPair(split(text));
        certificates.set(hostOf(pair), pair);
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
    await writeFileAtomic(this.#pathOf(host), `${key.trim()}\n${cert.trim()}\n`);
  }

  async remove(host: string): Promise<void> {
    await removeFile(this.#pathOf(host));
  }

  /** Names can be longer than what file systems take, with what is added while a file is written. */
  #pathOf(host: string): string {
    const digest = createHash('sha256').update(host).digest('hex');
    const name =
      host.length <= FILE_NAME_LIMIT ? host : `${host.slice(0, FILE_NAME_LIMIT - digest.length - 1)}-${digest}`;
    return join(this.#certificates, `${name}${SUFFIX}`);
  }

  async writeRecords(records: readonly IssuerRecord[]): Promise<void> {
    await this.#records.write(records);
  }
}

/** Each is for one name. */
function hostOf({ cert }: KeyPair): string {
  const [, host] = /\bDNS:([^\s,"]+)/.exec(new X509Certificate(cert).subjectAltName ?? '') ?? [];
  if (host === undefined) throw new Error('the certificate is for no name');
  return host.toLowerCase();
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
