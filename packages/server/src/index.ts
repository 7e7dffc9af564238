export { createServer, Server } from './server.ts';
export type { ServerEvents, ServerOptions, SessionInfo } from './options.ts';
