// What tunnels ask for and are given, in the words of the protocol: the only place that knows how frames name endpoints.
import { encodeAddresses, type TunnelRequestFrame } from '@tunnel/shared';
import type { SessionDriver, StreamPipe } from '@tunnel/shared/node';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import type { PublicPlace } from '../events.ts';
import type { GrantedEndpoint } from '../endpoints/endpoints.ts';
import type { TunnelRequest } from './tunnel-requests.ts';

export function readRequest({ tunnelId, kind, name: wanted, label, terms }: TunnelRequestFrame): TunnelRequest {
  return { tunnelId, kind, wanted, label, terms };
}

export function sendGrant(driver: SessionDriver, tunnelId: number, { name, addresses }: GrantedEndpoint): void {
  driver.sendTunnelFrame({ type: 'tunnel-granted', tunnelId, name, addresses });
}

/** It is reached under other addresses than it was granted with. */
export function sendAddresses(driver: SessionDriver, tunnelId: number, { addresses }: GrantedEndpoint): void {
  driver.sendTunnelFrame({ type: 'tunnel-addresses', tunnelId, addresses });
}

/** Undefined if the session has as many streams as it may. */
export function openStream(
  driver: SessionDriver,
  tunnelId: number,
  { address, port, destination, destinationPort }: VisitorAttributes,
): StreamPipe | undefined {
  return driver.openStream(
    tunnelId,
    encodeAddresses({
      visitor: address === '' ? undefined : { address, port },
      destination: destination === undefined ? undefined : { address: destination, port: destinationPort },
    }),
  );
}

/** For events. */
export function placeOf(endpoint: GrantedEndpoint | undefined): PublicPlace {
  if (!endpoint) return {};
  const { name } = endpoint;
  return /^\d{1,5}$/.test(name) ? { port: Number(name) } : { host: name };
}
