import type { Socket } from 'node:net';
import type { LocalTarget } from '@tunnel/client';
import { dialTarget } from '@tunnel/client/internal';
import { TunnelError } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';
import { formatTarget } from '../values/target.ts';
import { failed, passed, type Step, troubleOf } from './step.ts';

/** How long to wait for the service's reaction when a visitor ends its side. */
const END_GRACE_MS = 500;

/** Whether the local service accepts connections, and how it reacts to one that says nothing and ends its side. */
export async function checkLocalService(target: LocalTarget, signal: AbortSignal, timeoutMs: number): Promise<Step> {
  const name = formatTarget(target);
  const began = monotonicNow();
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  signal.addEventListener('abort', stop);
  const outcome = await dialTarget(target, { abort, timeoutMs });
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  const elapsedMs = monotonicNow() - began;
  if (outcome.kind === 'failed') {
    const error = new TunnelError('service-unavailable', { detail: `${name}, ${outcome.reason}` });
    return failed('service', troubleOf(error), elapsedMs);
  }
  const whatItDoes = await afterEnd(outcome.socket);
  return passed('service', `${name} accepts connections, and ${whatItDoes} when a visitor ends its side`, elapsedMs);
}

async function afterEnd(socket: Socket): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('stays open for the answer'), END_GRACE_MS);
      socket.on('error', () => resolve('breaks off the connection'));
      socket.on('end', () => resolve('ends the connection'));
      socket.resume().end();
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
