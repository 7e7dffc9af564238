// What tests and programs of this repository may ask of a server besides its public options. Not published.
import type { EndpointKind } from './endpoints/endpoint.ts';
import type { ServerOptions } from './options.ts';
import { Server, type ServerSeams } from './server.ts';

export { admitConnection } from './endpoints/admit-connection.ts';
export type { Choice, EndpointKind, OpenEndpoint, VisitorHandlers, Wish } from './endpoints/endpoint.ts';

/** A server that also opens these kinds of endpoint; one with the number of a kind of its own takes its place. */
export function createServerWith(endpointKinds: readonly EndpointKind[], options: ServerOptions): Server {
  const seams: ServerOptions & ServerSeams = { ...options, endpointKinds };
  return new Server(seams);
}
