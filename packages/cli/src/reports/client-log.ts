import type { AdvisedClientEvents } from '../hints/advice-for.ts';
import type { Logger } from 'pino';
import { formatTarget } from '../values/target.ts';
import { describeService } from './client-text.ts';
import { repeatFields } from './repeats.ts';
import type { Reporter } from '../output/reporter.ts';
import { shortSessionId } from './session-id.ts';

/** Logs what a client does, with the session that it is about. Of keys only the fingerprint. */
export function clientLogReporter(
  log: Logger,
  fingerprint: (serverKey: string) => string,
): Reporter<AdvisedClientEvents> {
  /** The session there is, or was last. */
  let current = log;
  let isOver = true;
  const ofLiving = (): Logger => (isOver ? log : current);
  return {
    linked: ({ sessionId, resumed }) => {
      current = log.child({ session: shortSessionId(sessionId) });
      isOver = false;
      current.debug({ resumed }, 'link accepted');
    },
    'session-ended': ({ lostStreams }) => {
      isOver = true;
      current.info({ lostStreams }, 'session ended');
    },
    ready: ({ tunnels, resumed, lostStreams, serverKey, pinnedAt }, repeats) => {
      const open = tunnels.map(({ name, target, url }) => ({ name, url, target: formatTarget(target) }));
      const key = fingerprint(serverKey);
      if (pinnedAt !== undefined)
        log.info({ serverKey: key, file: pinnedAt }, 'first contact: the server key is remembered');
      current.info({ tunnels: open, resumed, lostStreams, serverKey: key, ...repeatFields(repeats) }, 'ready');
    },
    // A session may end a moment before its link.
    disconnected: ({ code, reason }, repeats) => {
      current.warn({ code, reason, ...repeatFields(repeats) }, 'link lost');
    },
    retrying: ({ attempt, delayMs, downMs, code, reason, advice }, repeats) => {
      const fields = { attempt, delayMs, downMs, code, reason, hint: advice.text, ...repeatFields(repeats) };
      ofLiving().warn(fields, 'attempt failed');
    },
    warning: ({ code, reason, advice }, repeats) => {
      ofLiving().warn({ code, hint: advice.text, ...repeatFields(repeats) }, reason);
    },
    service: (event) => {
      const { refused, held, downMs, code } = event;
      const fields = { target: formatTarget(event.target), refused, held, downMs };
      if (event.state === 'up') ofLiving().info(fields, describeService(event));
      else ofLiving().warn({ ...fields, code }, describeService(event));
    },
    'visitors-refused': ({ target, denied, overLimit }, repeats) => {
      const fields = { target: formatTarget(target), denied, overLimit, ...repeatFields(repeats) };
      ofLiving().warn(fields, 'visitors kept out');
    },
    'visitor-idle': ({ target, visitor }, repeats) => {
      const fields = { target: formatTarget(target), visitor, code: 'stream-idle', ...repeatFields(repeats) };
      ofLiving().info(fields, 'visitor reset by --idle-timeout');
    },
    // To look on costs time: not for a line that is not written.
    ...(log.isLevelEnabled('debug') && {
      request: ({ target, ...request }) => ofLiving().debug({ target: formatTarget(target), ...request }, 'request'),
    }),
    stream: ({ state, target, visitor, code }) => {
      current.debug(
        { target: formatTarget(target), visitor, ...(code === undefined ? {} : { code }) },
        `connection ${state}`,
      );
    },
    // What ends a client against its will is told by who ends with it.
    stopped: ({ exitCode, code, reason }) => {
      if (exitCode === 0 || code === 'stopped') log.info({ exitCode, code }, reason);
    },
  };
}
