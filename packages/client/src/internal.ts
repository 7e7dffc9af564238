// For the tests of this workspace and for the command. Not part of the package: it may change with any version.
import { Client, type RecordingOptions } from './client.ts';
import type { InternalClientOptions } from './uplink/uplink-options.ts';

export { tryEachAddress } from './dial/each-address.ts';
export type { AddressFinding } from './dial/each-address.ts';
export { lookUpAddresses } from './dial/happy-eyeballs.ts';
export { EXCHANGE_LIMIT, ExchangeRecorder } from './http/exchange-recorder.ts';
export { type HeaderLine, headerLines } from './http/message-head.ts';
export { BODY_LIMIT_BYTES } from './http/recorded-bytes.ts';
export type { RecordedBody, RecordedExchange, RecordedMessage } from './http/recorded-exchange.ts';
export { RequestObserver } from './http/request-observer.ts';
export { unframed } from './http/unframed.ts';
export { ownConnections } from './services/own-connections.ts';
export { problemOfHeader, problemOfHeaderName } from './tunnels/header-fields.ts';
export { normalHostName, problemOfHostHeader, problemOfHostName } from './tunnels/host-name.ts';
export { problemOfCredentials } from './tunnels/http-terms.ts';
export { dialTarget } from './services/target-dial.ts';
export type { InternalClientOptions } from './uplink/uplink-options.ts';
export type { Surroundings } from './uplink/surroundings.ts';

/** As `createClient`, with options that only tests set. */
export function createInternalClient(options: InternalClientOptions & RecordingOptions): Client {
  return new Client(options);
}
