import { formatPublicAddress } from '@tunnel/shared';
import type { CertificateStore } from '../certificates/certificate-store.ts';
import type { ListenAddress } from '../options.ts';
import { HttpListener, type HttpListenerOptions } from './http-listener.ts';

export interface ListenersOptions extends Omit<HttpListenerOptions, 'certificates' | 'door'> {
  /** Of the control port and of `https`. */
  readonly door: HttpListenerOptions['door'];
  /** Of `http`. */
  readonly httpDoor: HttpListenerOptions['door'];
  /** Of the listeners with TLS. */
  readonly certificates: CertificateStore;
  readonly control: ListenAddress & { readonly isTls: boolean };
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
  readonly #https: HttpListener | undefined;
  /** In the order in which visitors are told of them. */
  readonly #all: readonly Listener[];

  constructor({ certificates, control, http, https, door, httpDoor, ...options }: ListenersOptions) {
    const make = (address: ListenAddress, isTls: boolean, itsDoor = door): Listener => ({
      address,
      listener: new HttpListener({ ...options, door: itsDoor, certificates: isTls ? certificates : undefined }),
    });
    this.#control = make(control, control.isTls);
    const secure = https && make(https, true);
    const plain = http && make(http, false, httpDoor);
    this.#https = secure?.listener;
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

  /** The port of `https`; undefined without it. */
  get httpsPort(): number | undefined {
    return this.#https?.port;
  }

  /** The URLs of a host, the best first; those with TLS where it `hasTls`. */
  addressesOf(host: string, hasTls: boolean): readonly string[] {
    const listeners = this.#all.map(({ listener }) => listener).filter(({ isTls }) => hasTls || !isTls);
    return listeners.map(({ isTls, port }) => formatPublicAddress({ scheme: isTls ? 'https' : 'http', host, port }));
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
