import { derivePsk, randomBytes, tweetnaclCrypto, ZERO_PSK } from '@tunnel/shared/node';
import { type HeartbeatSettings, TunnelError } from '@tunnel/shared';
import type { ServerAddress } from '../dial/address.ts';
import type { ClientEvents } from '../events.ts';
import type { ServerKey } from '../trust/server-key.ts';
import { type EstablishedLink, establishLink } from './establish-link.ts';
import type { UplinkOptions } from './uplink-options.ts';
import type { UplinkSession } from './uplink-session.ts';

export interface LinkDialerOptions {
  readonly uplink: UplinkOptions;
  readonly heartbeat: HeartbeatSettings;
  readonly connectTimeoutMs: number;
  readonly serverKey: ServerKey;
  readonly onAttempt: (event: ClientEvents['attempt']) => void;
  readonly onWarning: (error: TunnelError) => void;
}

/** Establishes the links of an uplink, one after the other, with a number each: the server goes by the highest one. */
export class LinkDialer {
  readonly #options: LinkDialerOptions;
  readonly #instance = randomBytes(16);
  #server: ServerAddress;
  #linkNumber = 0;

  constructor(options: LinkDialerOptions) {
    this.#options = options;
    this.#server = options.uplink.server;
    // Takes a while, and runs while the first dial does.
    if (options.uplink.secret !== undefined) void derivePsk(options.uplink.secret);
  }

  /** Where the last attempt went. */
  get server(): ServerAddress {
    return this.#server;
  }

  /** One attempt for this session. `isWanted` is asked right before the server is told. Rejects with a `TunnelError`. */
  async dial(session: UplinkSession, signal: AbortSignal, isWanted: () => boolean): Promise<EstablishedLink> {
    const { uplink, heartbeat, connectTimeoutMs, serverKey, onAttempt, onWarning } = this.#options;
    if (uplink.findServer) this.#server = await uplink.findServer();
    if (signal.aborted) throw new TunnelError('stopped');
    return establishLink({
      address: this.#server,
      crypto: uplink.crypto ?? tweetnaclCrypto,
      identity: uplink.identity,
      psk: uplink.secret === undefined ? Promise.resolve(ZERO_PSK) : derivePsk(uplink.secret),
      serverKey: serverKey.expected,
      keySource: serverKey.source,
      keyHint: serverKey.hint,
      makeHello: () => {
        // It may have come to its end meanwhile.
        if (session.isOver) throw new TunnelError('session-expired');
        if (signal.aborted || !isWanted()) throw new TunnelError('link-replaced');
        this.#linkNumber += 1;
        return session.hello(this.#instance, this.#linkNumber, heartbeat, uplink.agent ?? 'tunnel');
      },
      onAttempt,
      dial: {
        signal,
        timeoutMs: connectTimeoutMs,
        proxy: uplink.proxy,
        ca: uplink.ca,
        verifyCertificate: uplink.verifyCertificate,
        onWarning: ({ message, cause }) => onWarning(new TunnelError('tcp-failed', { detail: message, cause })),
      },
    });
  }
}
