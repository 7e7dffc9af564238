export { createServer, Server } from './server.ts';
export type { ServerStatus } from './status.ts';
export type { ServerEvents, ServerOptions, SessionInfo } from './options.ts';
export { leaseFile } from './leases.ts';
export type { Lease, LeaseStore } from './leases.ts';
