export { connect, Tunnel } from './connect.ts';
export type { ConnectOptions, ConnectTarget, TargetOptions, TunnelEvents } from './connect.ts';
export { VisitorSocket } from '@tunnel/shared/node';
export type {
  ClientOptions,
  ConnectionServer,
  HeaderField,
  HttpOptions,
  LocalTarget,
  PinStore,
  PortMemory,
  TunnelOptions,
  VisitorHandler,
} from './options.ts';
export { Client, createClient } from './client.ts';
export type { AttemptEvent, AttemptPhase, Cause, ClientEvents, OpenTunnel, RefusedCounts } from './events.ts';
export type { ClientStatus, NextAttempt, TunnelStatus } from './status.ts';
export { formatServerAddress, parseServerAddress } from './dial/address.ts';
export type { ServerAddress } from './dial/address.ts';
export { formatProxyAddress, parseProxyAddress } from './dial/proxy-address.ts';
export type { ProxyAddress } from './dial/proxy-address.ts';
export { formatTarget, problemOfSocketPath, socketPathOf } from './services/target.ts';
export type { ServiceFailure } from './services/service-health.ts';
export { LastPorts } from './tunnels/last-ports.ts';
export { PinDirectory } from './trust/pins.ts';
export { publicKeyOf } from './trust/public-key.ts';
export { generateIdentity, loadOrCreateIdentity, nodeCrypto } from '@tunnel/shared/node';
export type { Identity } from '@tunnel/shared/node';
export { TunnelError } from '@tunnel/shared';
export type {
  Disposition,
  ErrorCode,
  ErrorKind,
  Fault,
  HeartbeatSettings,
  Hint,
  HintId,
  NoiseCrypto,
  SpecialHint,
  TunnelErrorOptions,
} from '@tunnel/shared';
