export { listen } from './listen.ts';
export type { ListenOptions } from './listen.ts';
export { createServer, Server } from './server.ts';
export type { LinkInfo, PublicPlace, ServerEvents, SessionInfo } from './events.ts';
export type { AcmeOptions, ListenAddress, ServerOptions } from './options.ts';
export type { ServerStatus } from './observe/status.ts';
export { authorizedKeysFile } from './access/authorized-keys-file.ts';
export type { AuthorizedKeySource } from './access/authorized-keys-file.ts';
export { AuthorizedKeys } from './access/authorized-keys.ts';
export type { AuthorizedKey, KeyBounds } from './access/authorized-keys.ts';
export type { Requirement } from './access/access.ts';
export type { PortRange } from './access/port-ranges.ts';
export type { CertificateStatus } from './certificates/certificate-store.ts';
export type { CertificateFiles } from './certificates/certificate-files.ts';
export { leaseFile } from './claims/lease-file.ts';
export type { Lease, LeaseStore } from './claims/lease-file.ts';
export { TunnelError } from '@tunnel/shared';
export type {
  Disposition,
  ErrorCode,
  ErrorKind,
  Fault,
  HeartbeatSettings,
  Hint,
  HintId,
  SpecialHint,
  TunnelErrorOptions,
} from '@tunnel/shared';
