// Everything that the client's tunnels and visitors look like on the wire.
import {
  decodeAddresses,
  ENDPOINT_KIND,
  parsePublicAddress,
  type TunnelGrantedFrame,
  type TunnelRequestFrame,
  type Term,
} from '@tunnel/shared';
import type { DriverEvent, VisitorEnds } from '@tunnel/shared/node';

export type StreamOpened = Extract<DriverEvent, { type: 'stream-opened' }>;
export type TunnelFrame = Extract<DriverEvent, { type: 'tunnel-granted' | 'tunnel-refused' | 'tunnel-close' }>;

/** Where people reach a tunnel. */
export interface PublicAddress {
  readonly host: string;
  readonly port: number;
}

/** `port`: 0 for any. */
export function tunnelRequest(
  tunnelId: number,
  { port, name, terms }: { readonly port: number; readonly name: string; readonly terms: readonly Term[] },
): TunnelRequestFrame {
  const wanted = port === 0 ? '' : String(port);
  return { type: 'tunnel-request', tunnelId, kind: ENDPOINT_KIND.tcp, name: wanted, label: name, terms };
}

/** The best one. A server that does not know its public host is reached where the client dialed it. */
export function grantedAddress({ addresses }: TunnelGrantedFrame, dialedHost: string): PublicAddress {
  const { host = '', port = 0 } = parsePublicAddress(addresses[0] ?? '') ?? {};
  return { host: host || dialedHost, port };
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
