import { connect, type Socket } from 'node:net';
import { TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';
import { connectToFirst, interleaveFamilies } from '../dial/happy-eyeballs.ts';
import type { IpAddress, Lookup } from '../dial/name-lookups.ts';
import type { LocalTarget } from '../options.ts';
import { rememberedLookup } from './remembered-lookup.ts';
import { secureConnection } from './target-tls.ts';
import type { ServiceFailure } from './service-health.ts';

/** A service that does not answer at all is given up after this, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What a machine says of an address of a family that it has not. */
const UNREACHABLE: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EHOSTUNREACH', 'ENETUNREACH']);

export type DialOutcome =
  { readonly kind: 'connected'; readonly socket: Socket } | ({ readonly kind: 'failed' } & ServiceFailure);

export interface TargetDialOptions {
  /** Ends the attempt: the caller's, or this function's when it takes too long. */
  readonly abort?: AbortController;
  readonly timeoutMs?: number;
  readonly lookup?: Lookup;
  /** With TLS. */
  readonly isTls?: boolean;
}

/** Makes one connection to a local service, half-open as the visitor's may be. Never rejects. */
export function dialTarget(
  target: LocalTarget,
  {
    abort = new AbortController(),
    timeoutMs = CONNECT_TIMEOUT_MS,
    lookup = rememberedLookup(),
    isTls = false,
  }: TargetDialOptions = {},
): Promise<DialOutcome> {
  const { signal } = abort;
  let isResolving = false;
  const connectTo = async (): Promise<Socket> => {
    if ('path' in target) return connectToPath(target.path, signal);
    isResolving = true;
    const addresses = interleaveFamilies(await lookup(target.host));
    isResolving = false;
    return connectToFirst(addresses, target.port, { signal, connect: startConnection });
  };
  // One promise and no race: this is made for every visitor.
  return new Promise((resolve) => {
    let isSettled = false;
    const settle = (outcome: DialOutcome): void => {
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(outcome);
    };
    const onAbort = (): void => settle({ kind: 'failed', reason: 'given up', code: '' });
    const timer = setTimeout(() => {
      settle({ kind: 'failed', ...(isResolving ? notResolved(target, timeoutMs) : noAnswer(timeoutMs)) });
      abort.abort();
    }, timeoutMs);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    const connectAll = async (): Promise<Socket> => {
      const socket = await connectTo();
      return isTls ? secureConnection(socket, target, signal) : socket;
    };
    connectAll().then(
      (socket) => {
        // It may have connected at the very moment at which it was given up.
        if (isSettled) socket.destroy();
        else settle({ kind: 'connected', socket });
      },
      (error: unknown) => {
        if (!isSettled) settle({ kind: 'failed', ...failureOf(error) });
      },
    );
  });
}

function startConnection({ address, family }: IpAddress, port: number): Socket {
  return connect({ host: address, port, family, allowHalfOpen: true, autoSelectFamily: false });
}

/** A Unix socket knows no reset: to close it is all that can be done in place of one. */
function connectToPath(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.resetAndDestroy = () => socket.destroy();
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Later errors belong to whoever has the socket then, and come with 'close'.
    socket.on('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
  });
}

function noAnswer(timeoutMs: number): ServiceFailure {
  return { reason: `no answer within ${timeoutMs / 1000}s`, code: 'ETIMEDOUT' };
}

function notResolved(target: LocalTarget, timeoutMs: number): ServiceFailure {
  const host = 'host' in target ? target.host : '';
  return { reason: `the name ${host} could not be resolved within ${timeoutMs / 1000}s`, code: 'EAI_AGAIN' };
}

/** Of several addresses the one that says most: a machine without IPv6 reaches none of that family. */
function failureOf(error: unknown): ServiceFailure {
  const cause = error instanceof TunnelError ? error.cause : error;
  const errors = (cause instanceof AggregateError ? cause.errors : [cause]) as NodeJS.ErrnoException[];
  const telling = errors.find(({ code }) => !UNREACHABLE.has(code ?? '')) ?? errors[0];
  return { reason: describeSystemError(telling), code: telling?.code ?? '' };
}
