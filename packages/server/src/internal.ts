// What tests and programs in this repository may use besides a server's public options. Not published.
import type { EndpointKind } from './endpoints/endpoint.ts';
import type { ServerOptions } from './options.ts';
import { Server, type ServerSeams } from './server.ts';

export { admitConnection } from './endpoints/admit-connection.ts';
export type { Choice, EndpointKind, OpenEndpoint, VisitorHandlers, Wish } from './endpoints/endpoint.ts';

/** Creates a server with additional kinds of endpoint; one with the number of a built-in kind replaces it. */
export function createServerWith(endpointKinds: readonly EndpointKind[], options: ServerOptions): Server {
  const seams: ServerOptions & ServerSeams = { ...options, endpointKinds };
  return new Server(seams);
}
