import { formatPublicAddress, TunnelError } from '@tunnel/shared';
import type { Certificate } from '../certificates/certificate-files.ts';
import type { ListenAddress } from '../options.ts';
import { HttpListener, type HttpListenerOptions } from './http-listener.ts';

export interface ListenersOptions extends Omit<HttpListenerOptions, 'certificate'> {
  /** Of the control port, if it has TLS, and of `https`. */
  readonly certificate: Certificate | undefined;
  readonly control: ListenAddress;
  /** Further ones for visitors and links, without TLS and with. */
  readonly http: ListenAddress | undefined;
  readonly https: ListenAddress | undefined;
}

interface Listener {
  readonly address: ListenAddress;
  readonly listener: HttpListener;
}

/** The HTTP listeners of a server. All are the same front door. */
export class Listeners {
  readonly #control: Listener;
  /** In the order in which visitors are told of them. */
  readonly #all: readonly Listener[];

  /** Throws `usage` for `https` without a certificate. */
  constructor({ certificate, control, http, https, ...options }: ListenersOptions) {
    if (https && !certificate) throw new TunnelError('usage', { detail: 'https needs a certificate' });
    const make = (address: ListenAddress, isTls: boolean): Listener => ({
      address,
      listener: new HttpListener({ ...options, certificate: isTls ? certificate : undefined }),
    });
    this.#control = make(control, certificate !== undefined);
    const secure = https && make(https, true);
    const plain = http && make(http, false);
    this.#all = [secure, plain, this.#control].filter((each) => each !== undefined);
  }

  /** Rejects with `listen-in-use`, `listen-denied` or `listen-failed`. */
  async listen(): Promise<void> {
    for (const { address, listener } of this.#all) await listener.listen(address.host, address.port);
  }

  /** The control port. */
  get port(): number {
    return this.#control.listener.port;
  }

  /** The URLs of a host, the best first. */
  addressesOf(host: string): readonly string[] {
    return this.#all.map(({ listener }) => {
      return formatPublicAddress({ scheme: listener.isTls ? 'https' : 'http', host, port: listener.port });
    });
  }

  setCertificate(certificate: Certificate): void {
    for (const { listener } of this.#all) listener.setCertificate(certificate);
  }

  /** Gives the ports back. Connections stay. */
  close(): void {
    for (const { listener } of this.#all) listener.close();
  }

  /** After `close`, and once links were told to close: waits for their connections, a second at most. */
  async closed(): Promise<void> {
    await Promise.all(this.#all.map(({ listener }) => listener.closed()));
  }
}
