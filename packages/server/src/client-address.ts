import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { NetworkList, parseNetwork, remoteAddressOf } from '@tunnel/shared/node';

/** Tells where a request comes from, also through proxies whose word counts. */
export class ClientAddresses {
  readonly #trustedProxies: NetworkList;

  /** Networks in CIDR notation, or addresses. Throws `usage`. */
  constructor(trustedProxies: readonly string[]) {
    this.#trustedProxies = new NetworkList(
      trustedProxies.map((text) => {
        const network = parseNetwork(text);
        if (network === undefined)
          throw new TunnelError('usage', { detail: `trusted proxy ${text}: that is no network` });
        return network;
      }),
    );
  }

  /** Address and port of the other end. Through a trusted proxy the address that it tells, without a port. */
  of({ socket, headers }: IncomingMessage): string {
    const peer = remoteAddressOf(socket);
    const forwarded = this.#trustedProxies.has(peer) ? this.#forwardedFor(headers['x-forwarded-for']) : undefined;
    return forwarded === undefined ? `${bracketed(peer)}:${socket.remotePort ?? 0}` : bracketed(forwarded);
  }

  /** Each proxy puts whom it serves behind what it was told: from the right, the first that is no trusted proxy itself. */
  #forwardedFor(header: string | readonly string[] = []): string | undefined {
    let outermost: string | undefined;
    for (const entry of [header].flat().join(',').split(',').toReversed()) {
      const address = withoutPort(entry.trim());
      if (isIP(address) === 0) break;
      outermost = address;
      if (!this.#trustedProxies.has(address)) break;
    }
    return outermost;
  }
}

/** `192.0.2.1:80` and `[2001:db8::1]:80` are told by some proxies. */
function withoutPort(text: string): string {
  return /^\[([^\]]*)\]/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
