export type { Requirement } from './access.ts';
export { authorizedKeysFile } from './authorized-keys-file.ts';
export { createServer, Server } from './server.ts';
export type { ServerEvents, ServerOptions, SessionInfo } from './options.ts';
export { leaseFile } from './leases.ts';
export type { Lease, LeaseStore } from './leases.ts';
