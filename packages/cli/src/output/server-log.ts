import type { ServerEvents, SessionInfo } from '@tunnel/server';
import type { Logger } from 'pino';
import type { Repeats } from './message-digests.ts';
import type { Reporter } from './reporter.ts';
import { shortSessionId } from './session-id.ts';

/** Logs what a server does, with a logger of its own for each session. Of keys only the fingerprint. */
export function serverLogReporter(log: Logger, fingerprint: (key: string) => string): Reporter<ServerEvents> {
  const sessions = new Map<string, Logger>();
  const child = ({ sessionId, clientKey }: SessionInfo): Logger =>
    log.child({ session: shortSessionId(sessionId), client: fingerprint(clientKey) });
  // What comes behind the end of a session is not kept: nothing would remove it.
  const of = (event: SessionInfo): Logger => sessions.get(event.sessionId) ?? child(event);
  return {
    listening: ({ port, serverKey, url }) => {
      log.info({ port, serverKey: fingerprint(serverKey), url }, 'listening');
    },
    'certificate-replaced': ({ certFile, validUntil }) => {
      log.info({ certFile, validUntil }, 'the new certificate is in use');
    },
    'client-connected': (event) => {
      sessions.set(event.sessionId, child(event));
      const { address, agent, comment } = event;
      of(event).info({ address, agent, ...(comment !== undefined && { comment }) }, 'client connected');
    },
    'client-disconnected': (event) => {
      const { code, reason, ended } = event;
      of(event).info({ code, reason, ended }, ended ? 'client gone' : 'client lost its link');
      if (ended) sessions.delete(event.sessionId);
    },
    'client-resumed': (event) => of(event).info({ address: event.address }, 'client resumed'),
    'client-expired': (event) => {
      of(event).warn({ lostStreams: event.lostStreams }, 'client did not come back');
      sessions.delete(event.sessionId);
    },
    'client-refused': ({ code, reason, address, clientKey, sessionId }, repeats) => {
      const session = sessionId === undefined ? {} : { session: shortSessionId(sessionId) };
      const client = clientKey === undefined ? {} : { client: fingerprint(clientKey) };
      log.warn({ ...session, ...client, code, reason, address, ...repeatFields(repeats) }, 'client refused');
    },
    'keys-changed': ({ count }) => log.info({ count }, 'reread the authorized keys'),
    'tunnel-opened': (event) => of(event).info({ port: event.port, name: event.name }, 'tunnel opened'),
    'tunnel-closed': (event) => of(event).info({ port: event.port, code: event.code }, 'tunnel closed'),
    'visitor-refused': (event, repeats) => {
      const { port, code } = event;
      of(event).warn({ port, code, ...repeatFields(repeats) }, 'visitor turned away');
    },
    warning: ({ code, reason }, repeats) => log.warn({ code, ...repeatFields(repeats) }, reason),
    stopped: () => log.info('stopped'),
  };
}

/** `repeats`: like events since the last line, of which this is the last; `mixed`: not all of them from there. */
function repeatFields(repeats: Repeats | undefined): object {
  if (!repeats) return {};
  return { repeats: repeats.count, ...(repeats.areMixed && { mixed: true }) };
}
