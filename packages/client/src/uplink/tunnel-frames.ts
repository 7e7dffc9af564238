// Everything that the client's tunnels and visitors look like on the wire.
import {
  decodeAddresses,
  ENDPOINT_KIND,
  formatPublicAddress,
  parsePublicAddress,
  type PublicAddress,
  type TunnelGrantedFrame,
  type TunnelRequestFrame,
} from '@tunnel/shared';
import type { DriverEvent, VisitorEnds } from '@tunnel/shared/node';
import type { OpenTunnel } from '../events.ts';
import type { TunnelOptions } from '../options.ts';
import type { ClientTunnel } from '../tunnels/tunnel-set.ts';

const DEFAULT_PORT = { http: 80, https: 443 } as const;

export type StreamOpened = Extract<DriverEvent, { type: 'stream-opened' }>;
export type TunnelFrame = Extract<DriverEvent, { type: 'tunnel-granted' | 'tunnel-refused' | 'tunnel-close' }>;
export type AddressesFrame = Extract<DriverEvent, { type: 'tunnel-addresses' }>;

/** What the server gave a tunnel. */
export interface Grant {
  /** As it is asked for again. */
  readonly name: string;
  /** Where people reach it, the best first. */
  readonly addresses: readonly PublicAddress[];
}

/** `wanted`: a name as the server granted it, or what the tunnel's options ask for; empty for any. */
export function tunnelRequest({ id, name, options, terms }: ClientTunnel, wanted: string): TunnelRequestFrame {
  const kind = options.http === undefined ? ENDPOINT_KIND.tcp : ENDPOINT_KIND.http;
  return { type: 'tunnel-request', tunnelId: id, kind, name: wanted, label: name, terms };
}

/** A server that does not know its public host is reached where the client dialed it. */
export function readGrant(
  { name, addresses }: Pick<TunnelGrantedFrame, 'name' | 'addresses'>,
  dialedHost: string,
): Grant {
  const known = addresses.flatMap((address) => parsePublicAddress(address) ?? []);
  return { name, addresses: known.map((address) => ({ ...address, host: address.host || dialedHost })) };
}

/** How events and the status tell of it. */
export function placeOf({ addresses }: Grant, { http }: TunnelOptions): Pick<OpenTunnel, 'url' | 'port' | 'urls'> {
  const urls = addresses.map(urlOf);
  const [url = ''] = urls;
  return http === undefined ? { url, port: addresses[0]?.port ?? 0 } : { url, urls };
}

/** As people write it: without the port that goes without saying. */
function urlOf(address: PublicAddress): string {
  const { scheme, port } = address;
  const url = formatPublicAddress(address);
  return scheme !== 'tcp' && DEFAULT_PORT[scheme] === port ? url.slice(0, url.lastIndexOf(':')) : url;
}

/** `publicPort`: the port that the visitor connected to, where the server does not say. */
export function visitorAddresses({ attributes }: StreamOpened, publicPort: number): VisitorEnds {
  const { visitor, destination } = decodeAddresses(attributes);
  return {
    address: visitor?.address ?? '',
    port: visitor?.port ?? 0,
    destination: destination?.address ?? '',
    destinationPort: destination?.port ?? publicPort,
  };
}
