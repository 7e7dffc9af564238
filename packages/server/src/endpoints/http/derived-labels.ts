import { createHmac, hkdfSync } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const SUFFIX_CHARACTERS = 10;

/** Its purpose, so that nothing else that is derived from the identity is equal to it. */
const KEY_INFO = 'tunnel/1 host names';
const KEY_BYTES = 32;

/** Leaves room for the suffix in a label of 63. Without `--`, which has a meaning of its own in names. */
const PLAIN_LABEL = /^(?=.{1,52}$)[a-z][a-z\d]*(?:-[a-z\d]+)*$/;
const DEFAULT_LABEL = 'web';

/**
 * Labels for tunnels that ask for no name: always the same for one client's tunnel, and not to be guessed by others, as long as
 * the server keeps its identity.
 */
export class DerivedLabels {
  readonly #key: Uint8Array;

  /** `identity`: the server's private key. */
  constructor(identity: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', identity, '', KEY_INFO, KEY_BYTES));
  }

  /** `counter`: from 0 on, for further labels of the same tunnel. */
  labelFor(clientKey: string, tunnelLabel: string, counter: number): string {
    const digest = createHmac('sha256', this.#key)
      // The last of them is the only one in which there may be anything.
      .update(`${counter}\0${clientKey}\0${tunnelLabel}`)
      .digest();
    const suffix = Array.from({ length: SUFFIX_CHARACTERS }, (_, index) => ALPHABET[(digest[index] ?? 0) % 32]).join(
      '',
    );
    const plain = tunnelLabel.toLowerCase();
    return `${PLAIN_LABEL.test(plain) ? plain : DEFAULT_LABEL}-${suffix}`;
  }
}
