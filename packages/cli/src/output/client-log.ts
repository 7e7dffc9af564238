import type { ClientEvents } from '@tunnel/client';
import type { Logger } from 'pino';
import { formatTarget } from '../values/target.ts';
import { describeService } from './client-text.ts';
import type { Reporter } from './reporter.ts';

/** Logs what a client does. Of keys only the fingerprint. */
export function clientLogReporter(log: Logger, fingerprint: (serverKey: string) => string): Reporter<ClientEvents> {
  return {
    ready: ({ tunnels, sessionId, resumed, lostStreams, serverKey, pinnedAt }) => {
      const open = tunnels.map(({ target, url }) => ({ url, target: formatTarget(target) }));
      const key = fingerprint(serverKey);
      if (pinnedAt !== undefined)
        log.info({ serverKey: key, file: pinnedAt }, 'first contact: the server key is remembered');
      log.info({ tunnels: open, sessionId, resumed, lostStreams, serverKey: key }, 'ready');
    },
    disconnected: ({ code, reason }) => log.warn({ code, reason }, 'link lost'),
    retrying: ({ attempt, delayMs, downMs, code, reason, hint }) => {
      log.warn({ attempt, delayMs, downMs, code, reason, hint }, 'attempt failed');
    },
    warning: ({ code, reason, hint }) => log.warn({ code, hint }, reason),
    service: (event) => {
      const { refused, held, downMs, code } = event;
      const fields = { target: formatTarget(event.target), refused, held, downMs };
      if (event.state === 'up') log.info(fields, describeService(event));
      else log.warn({ ...fields, code }, describeService(event));
    },
    'visitors-refused': ({ target, denied, overLimit }) => {
      log.warn({ target: formatTarget(target), denied, overLimit }, 'visitors kept out');
    },
    stream: ({ state, target, visitor, code }) => {
      log.debug(
        { target: formatTarget(target), visitor, ...(code === undefined ? {} : { code }) },
        `connection ${state}`,
      );
    },
    stopped: ({ exitCode, code, reason }) => {
      if (exitCode === 0) log.info({ exitCode, code }, reason);
      else log.error({ exitCode, code }, reason);
    },
  };
}
