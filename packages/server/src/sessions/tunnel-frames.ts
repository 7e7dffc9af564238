// What tunnels ask for and are given, in the words of the protocol: the only place that knows how frames name endpoints.
import type { TunnelRequestFrame } from '@tunnel/shared';
import type { SessionDriver, StreamPipe } from '@tunnel/shared/node';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import type { GrantedEndpoint } from '../endpoints/endpoints.ts';
import type { TunnelRequest } from './tunnel-requests.ts';

const TCP_PORT = 1;

export function readRequest({ tunnelId, port, name, rules = [] }: TunnelRequestFrame): TunnelRequest {
  return { tunnelId, kind: TCP_PORT, wanted: port === 0 ? '' : String(port), label: name, terms: rules };
}

export function sendGrant(driver: SessionDriver, tunnelId: number, endpoint: GrantedEndpoint): void {
  const [, inBrackets, plain = ''] = /^tcp:\/\/(?:\[(.*)\]|(.*)):\d+$/.exec(endpoint.addresses[0] ?? '') ?? [];
  driver.sendTunnelFrame({
    type: 'tunnel-granted',
    tunnelId,
    port: portOf(endpoint),
    host: inBrackets ?? plain,
  });
}

/** Undefined if the session has as many streams as it may. */
export function openStream(
  driver: SessionDriver,
  tunnelId: number,
  { address, port, destination }: VisitorAttributes,
): StreamPipe | undefined {
  return driver.openStream(tunnelId, address, port, destination);
}

/** For events. 0 if it is no port. */
export function portOf({ name }: GrantedEndpoint): number {
  return /^\d{1,5}$/.test(name) ? Number(name) : 0;
}
