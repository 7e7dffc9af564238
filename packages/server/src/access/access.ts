import type { ErrorCode, Psk } from '@tunnel/shared';
import { encodeKey, randomBytes, ZERO_PSK } from '@tunnel/shared/node';
import { type AuthorizedKey, AuthorizedKeys } from './authorized-keys.ts';

/** What a client has to prove: the shared secret, a listed key, either, or both. */
export type Requirement = 'secret' | 'key' | 'either' | 'both';

/** What a refused client is told, whatever the reason. */
const REFUSALS: Readonly<Record<Requirement, { readonly code: ErrorCode; readonly detail: string }>> = {
  secret: { code: 'secret-refused', detail: '' },
  key: { code: 'key-refused', detail: 'it admits listed keys, and no secret' },
  either: { code: 'key-refused', detail: 'it requires a listed key or the right secret' },
  both: { code: 'key-refused', detail: 'it requires a listed key and the right secret' },
};

/** Decides who is admitted, and what for. */
export class Access {
  readonly requirement: Requirement;
  /** The psks that a client may have used, in the order in which they are tried. */
  readonly psks: readonly Psk[];
  readonly #secretCount: number;
  #keys: AuthorizedKeys = new AuthorizedKeys();

  /** `secretPsks`: those of the secret and, during a rotation, the previous one. */
  constructor(requirement: Requirement, secretPsks: readonly Uint8Array[]) {
    this.requirement = requirement;
    // A psk that nobody has, tried for keys that are not listed. Their hello fails to open just as with a wrong secret,
    // so that neither the answer nor its timing says anything about the secret.
    const closed = randomBytes(32);
    const forListed =
      (psk: Uint8Array): Psk =>
      (clientKey) =>
        this.#keys.find(encodeKey(clientKey), Date.now()) ? psk : closed;
    const secrets = requirement === 'key' ? [] : secretPsks;
    this.#secretCount = secrets.length;
    this.psks = [
      ...(requirement === 'both' ? secrets.map(forListed) : secrets),
      ...(requirement === 'key' || requirement === 'either' ? [forListed(ZERO_PSK)] : []),
    ];
  }

  get keys(): AuthorizedKeys {
    return this.#keys;
  }

  set keys(keys: AuthorizedKeys) {
    this.#keys = keys;
  }

  get refusal(): { readonly code: ErrorCode; readonly detail: string } {
    return REFUSALS[this.requirement];
  }

  /** Whether this psk is a secret's, so that the client proved more than its key. */
  isSecret(pskIndex: number): boolean {
    return pskIndex < this.#secretCount;
  }

  /** Whether an admitted client still is. */
  admits(clientKey: string, knowsSecret: boolean): boolean {
    const isSecretEnough = this.requirement === 'secret' || this.requirement === 'either';
    if (knowsSecret && isSecretEnough) return true;
    return this.requirement !== 'secret' && this.entryOf(clientKey) !== undefined;
  }

  /** The entry for a key; undefined if it is not listed. Public keys are base64url. */
  entryOf(clientKey: string): AuthorizedKey | undefined {
    return this.#keys.find(clientKey, Date.now());
  }

  /** Whether a port is reserved for someone else. */
  isReservedFromOthers(port: number, clientKey: string): boolean {
    const owner = this.#keys.ownerOf(port, Date.now());
    return owner !== undefined && owner.publicKey !== clientKey;
  }
  /** Whether a host name is reserved for somebody else. */
  isHostReservedFromOthers(host: string, clientKey: string): boolean {
    const owner = this.#keys.ownerOfHost(host, Date.now());
    return owner !== undefined && owner.publicKey !== clientKey;
  }
}
