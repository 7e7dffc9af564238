import { type Hint, TunnelError } from '@tunnel/shared';
import { formatServerAddress } from '../dial/address.ts';
import type { ClientOptions } from '../options.ts';

/** The key that the server must have: the one given, the pinned one, or the one from this process's first link. */
export class ServerKey {
  readonly #options: Pick<ClientOptions, 'pins' | 'serverKey' | 'serverKeySource' | 'secret'>;
  readonly #address: string;
  #pinned: Uint8Array | undefined;
  #isPinning = false;

  constructor(options: Pick<ClientOptions, 'pins' | 'serverKey' | 'serverKeySource' | 'secret' | 'server'>) {
    this.#options = options;
    this.#address = formatServerAddress(options.server);
  }

  /** Undefined: the first server to answer is trusted, if it knows the secret. */
  get expected(): Uint8Array | undefined {
    return this.#options.serverKey ?? this.#pinned;
  }

  /** The pin is being written. */
  get isPinning(): boolean {
    return this.#isPinning;
  }

  /** Where the expected key comes from, for people. */
  get source(): string {
    const { serverKey, pins } = this.#options;
    if (serverKey) return 'as given';
    return pins ? `pinned in ${pins.describe(this.#address)}` : 'as on the first link';
  }

  /** What may help if the server's key differs from the one given. */
  get hint(): Hint | undefined {
    const { serverKey, serverKeySource: source } = this.#options;
    return serverKey && { id: 'server-key-not-as-given', source };
  }

  /** Reads the pin. Rejects with `state-damaged`, or with `secret-missing` if nothing identifies the server. */
  async read(): Promise<void> {
    const { pins, serverKey, secret } = this.#options;
    if (!serverKey) this.#pinned = await pins?.read(this.#address);
    if (secret === undefined && !this.expected) throw new TunnelError('secret-missing');
  }

  /**
   * Holds the server to this key from now on. Call it only after the server's first record has opened: before that,
   * nothing is proven. Resolves with where the pin is kept; rejects with `state-unusable`, or with `server-key-changed`
   * if another one was pinned in the meantime.
   */
  async pin(key: Uint8Array): Promise<string | undefined> {
    this.#pinned = key;
    const { pins } = this.#options;
    this.#isPinning = true;
    try {
      await pins?.write(this.#address, key);
    } finally {
      this.#isPinning = false;
    }
    return pins?.describe(this.#address);
  }
}
