// Everything that the client's tunnels and visitors look like on the wire.
import type { TunnelGrantedFrame, TunnelRequestFrame, VisitorRule } from '@tunnel/shared';
import type { DriverEvent } from '@tunnel/shared/node';
import type { VisitorAddresses } from '../services/proxy-header.ts';

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
  { port, name, rules }: { readonly port: number; readonly name: string; readonly rules: readonly VisitorRule[] },
): TunnelRequestFrame {
  return { type: 'tunnel-request', tunnelId, port, name, rules };
}

/** A server that does not know its public host is reached where the client dialed it. */
export function grantedAddress({ host, port }: TunnelGrantedFrame, dialedHost: string): PublicAddress {
  return { host: host || dialedHost, port };
}

/** `publicPort`: the port that the visitor connected to. */
export function visitorAddresses(
  { address, port, destination = '' }: StreamOpened,
  publicPort: number,
): VisitorAddresses {
  return { address, port, destination, destinationPort: publicPort };
}
