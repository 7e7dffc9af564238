import type { ErrorCode, Psk } from '@tunnel/shared';
import { encodeKey, randomBytes, ZERO_PSK } from '@tunnel/shared/node';
import { type AuthorizedKey, AuthorizedKeys } from './authorized-keys.ts';

/** What a client has to prove: the shared secret, a key that is listed, one of them, or both. */
export type Requirement = 'secret' | 'key' | 'either' | 'both';

/** What a refused client is told. The same, whatever was wrong. */
const REFUSALS: Readonly<Record<Requirement, { readonly code: ErrorCode; readonly detail: string }>> = {
  secret: { code: 'secret-refused', detail: '' },
  key: { code: 'key-refused', detail: 'it admits listed keys, and no secret' },
  either: { code: 'key-refused', detail: 'it requires a listed key or the right secret' },
  both: { code: 'key-refused', detail: 'it requires a listed key and the right secret' },
};

/** Who may come in, and what for. */
export class Access {
  readonly requirement: Requirement;
  /** What a client may have mixed in, in the order in which they are tried. */
  readonly psks: readonly Psk[];
  readonly #secretCount: number;
  #keys: AuthorizedKeys = new AuthorizedKeys();

  /** `secretPsks`: of the secret and, while it is rotated, the previous one. */
  constructor(requirement: Requirement, secretPsks: readonly Uint8Array[]) {
    this.requirement = requirement;
    // Nobody has it: what a key that is not listed is tried with. So its hello does not open, just like one with a wrong
    // secret, and what is answered, and when, says nothing of the secret.
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

  /** Whether this psk is a secret's, so that it proved more than the key. */
  isSecret(pskIndex: number): boolean {
    return pskIndex < this.#secretCount;
  }

  /** Whether a client that came in is still admitted. */
  admits(clientKey: string, knowsSecret: boolean): boolean {
    const isSecretEnough = this.requirement === 'secret' || this.requirement === 'either';
    if (knowsSecret && isSecretEnough) return true;
    return this.requirement !== 'secret' && this.entryOf(clientKey) !== undefined;
  }

  /** What is listed about a key; undefined where nothing is. Public keys are base64url. */
  entryOf(clientKey: string): AuthorizedKey | undefined {
    return this.#keys.find(clientKey, Date.now());
  }

  /** Whether a port is reserved for somebody else. */
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
