import { once } from 'node:events';
import { connect } from 'node:net';
import type { LocalTarget } from '@tunnel/client';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError, monotonicNow } from '@tunnel/shared/node';
import { formatTarget } from '../values/target.ts';
import { failed, passed, type Step, troubleOf } from './step.ts';

/** How long is waited for what the service does when a visitor ends its side. */
const END_GRACE_MS = 500;

/** Whether the local service accepts connections, and what it makes of one that says nothing and ends its side. */
export async function checkLocalService(target: LocalTarget, signal: AbortSignal, timeoutMs: number): Promise<Step> {
  const name = formatTarget(target);
  const began = monotonicNow();
  const socket = connect({ ...target, autoSelectFamily: true, allowHalfOpen: true, signal });
  const timer = setTimeout(() => socket.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), timeoutMs);
  try {
    await once(socket, 'connect');
    const elapsedMs = monotonicNow() - began;
    const ending = new Promise<string>((resolve) => {
      setTimeout(() => resolve('stays open for the answer'), END_GRACE_MS);
      socket.on('error', () => resolve('breaks off the connection'));
      socket.on('end', () => resolve('ends the connection'));
    });
    socket.resume().end();
    return passed(
      'service',
      `${name} accepts connections, and ${await ending} when a visitor ends its side`,
      elapsedMs,
    );
  } catch (cause) {
    const error = new TunnelError('service-unavailable', { detail: `${name}, ${describeSystemError(cause)}`, cause });
    return failed('service', troubleOf(error), monotonicNow() - began);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
