import type { AdvisedClientEvents } from '../hints/advice-for.ts';
import type { ServerEvents } from '@tunnel/server';
import { formatTarget } from '../values/target.ts';
import { repeatFields } from './repeats.ts';
import type { Reporter } from '../output/reporter.ts';

/** Writes one object a line, each with `event` and `time`. */
export type Emit = (event: string, fields: object) => void;

/** `now` is for the time of each line. */
export function jsonEmitter(write: (line: string) => void, now: () => Date): Emit {
  return (event, fields) => write(JSON.stringify({ event, time: now().toISOString(), ...fields }));
}

/** The client's events, with the fields that scripts rely on and no others. */
export function clientJsonReporter(emit: Emit, now: () => Date): Reporter<AdvisedClientEvents> {
  return {
    ready: ({ tunnels, sessionId, resumed }) => {
      const open = tunnels.map(({ name, target, url, port, urls }) => {
        return { name, target: formatTarget(target), url, port, urls };
      });
      emit('ready', { tunnels: open, sessionId, resumed });
    },
    disconnected: ({ code, reason }) => emit('disconnected', { code, reason }),
    retrying: ({ attempt, delayMs, since, code, reason, advice }) => {
      const nextAt = new Date(now().getTime() + delayMs).toISOString();
      emit('retrying', { attempt, delayMs, nextAt, since, code, reason, hint: advice.text });
    },
    warning: ({ code, reason, advice }, repeats) =>
      emit('warning', { code, reason, hint: advice.text, ...repeatFields(repeats) }),
    service: (event) => {
      const { state, code, reason, refused, held, downMs } = event;
      emit('service', { target: formatTarget(event.target), state, code, reason, refused, held, downMs });
    },
    'visitors-refused': ({ target, denied, overLimit }, repeats) => {
      emit('visitors-refused', { target: formatTarget(target), denied, overLimit, ...repeatFields(repeats) });
    },
    request: ({ method, path: target, status, durationMs, receivedBytes, sentBytes, host, address }) => {
      const ms = Math.round(durationMs);
      emit('request', { method, target, status, durationMs: ms, receivedBytes, sentBytes, host, address });
    },
    stopped: ({ exitCode, code, reason, advice }) => emit('stopped', { exitCode, code, reason, hint: advice.text }),
  };
}

/** The server's events; `stopped` is told by whoever knows why it stops. */
export function serverJsonReporter(emit: Emit): Reporter<ServerEvents> {
  return {
    listening: ({ port, serverKey, url }) => emit('listening', { port, serverKey, url }),
    'client-connected': (event) => emit('client-connected', event),
    'client-disconnected': (event) => emit('client-disconnected', event),
    'client-resumed': (event) => emit('client-resumed', event),
    'client-expired': (event) => emit('client-expired', event),
    'client-refused': (event) => emit('client-refused', event),
    'keys-changed': (event) => emit('keys-changed', event),
    'certificate-issued': (event) => emit('certificate-issued', event),
    warning: ({ code, reason }, repeats) => emit('warning', { code, reason, ...repeatFields(repeats) }),
  };
}
