export { Client, createClient } from './client.ts';
export { formatServerAddress, parseServerAddress } from './dial/address.ts';
export type { ServerAddress } from './dial/address.ts';
export type { Cause, ClientEvents, OpenTunnel } from './events.ts';
export { LastPorts } from './last-ports.ts';
export { PinDirectory } from './pins.ts';
export type { ClientStatus, NextAttempt, TunnelStatus } from './status.ts';
export type { ClientOptions, LocalTarget, PinStore, PortMemory, TunnelOptions } from './options.ts';
