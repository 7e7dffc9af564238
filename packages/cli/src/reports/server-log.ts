import type { PublicPlace, ServerEvents, SessionInfo } from '@tunnel/server';
import type { Logger } from 'pino';
import { repeatFields } from './repeats.ts';
import type { Reporter } from '../output/reporter.ts';
import { shortSessionId } from './session-id.ts';

/** Logs what a server does, and with which session. Of keys only the fingerprint. */
export function serverLogReporter(log: Logger, fingerprint: (key: string) => string): Reporter<ServerEvents> {
  const of = ({ sessionId, clientKey }: SessionInfo): object => ({
    session: shortSessionId(sessionId),
    client: fingerprint(clientKey),
  });
  return {
    listening: ({ port, serverKey, url }) => {
      log.info({ port, serverKey: fingerprint(serverKey), url }, 'listening');
    },
    'certificate-replaced': ({ certFile, validUntil }) => {
      log.info({ certFile, validUntil }, 'the new certificate is in use');
    },
    'certificate-issued': ({ host, validUntil, isRenewal }) => {
      log.info({ host, validUntil }, isRenewal ? 'the certificate was renewed' : 'there is a certificate now');
    },
    'client-connected': (event, repeats) => {
      const { address, agent, comment } = event;
      const listed = comment === undefined ? {} : { comment };
      log.info({ ...of(event), address, agent, ...listed, ...repeatFields(repeats) }, 'client connected');
    },
    'client-disconnected': (event, repeats) => {
      const { code, reason, ended } = event;
      const fields = { ...of(event), code, reason, ended, ...repeatFields(repeats) };
      log.info(fields, ended ? 'client gone' : 'client lost its link');
    },
    'client-resumed': (event, repeats) => {
      log.info({ ...of(event), address: event.address, ...repeatFields(repeats) }, 'client resumed');
    },
    'client-expired': (event, repeats) => {
      const { lostStreams } = event;
      log.warn({ ...of(event), lostStreams, ...repeatFields(repeats) }, 'client did not come back');
    },
    'client-refused': ({ code, reason, address, clientKey, sessionId }, repeats) => {
      const session = sessionId === undefined ? {} : { session: shortSessionId(sessionId) };
      const client = clientKey === undefined ? {} : { client: fingerprint(clientKey) };
      log.warn({ ...session, ...client, code, reason, address, ...repeatFields(repeats) }, 'client refused');
    },
    'keys-changed': ({ count }) => log.info({ count }, 'reread the authorized keys'),
    'tunnel-opened': (event, repeats) => {
      log.info({ ...of(event), ...placeOf(event), name: event.name, ...repeatFields(repeats) }, 'tunnel opened');
    },
    'tunnel-closed': (event, repeats) => {
      log.info({ ...of(event), ...placeOf(event), code: event.code, ...repeatFields(repeats) }, 'tunnel closed');
    },
    'visitor-refused': (event, repeats) => {
      const fields = { ...of(event), ...placeOf(event), code: event.code, ...repeatFields(repeats) };
      log.warn(fields, 'visitor turned away');
    },
    warning: ({ code, reason }, repeats) => log.warn({ code, ...repeatFields(repeats) }, reason),
    stopped: () => log.info('stopped'),
  };
}

function placeOf({ port, host }: PublicPlace): PublicPlace {
  return { ...(port !== undefined && { port }), ...(host !== undefined && { host }) };
}
