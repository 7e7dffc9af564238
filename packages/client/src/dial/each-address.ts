import { TunnelError } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';

import { connectToFirst } from './happy-eyeballs.ts';
import type { IpAddress } from './name-lookups.ts';

/** How one address responded. */
export interface AddressFinding {
  readonly address: string;
  readonly elapsedMs: number;
  /** Undefined if it accepted a connection. */
  readonly error: TunnelError | undefined;
}

/**
 * Connects to each address separately, all at once, and hangs up: for those who want to know about each, since a dial
 * is content with the first. Rejects with the signal's reason.
 */
export async function tryEachAddress(
  addresses: readonly IpAddress[],
  port: number,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<readonly AddressFinding[]> {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  const timer = setTimeout(() => {
    controller.abort(new TunnelError('attempt-timeout', { detail: `after ${timeoutMs} ms` }));
  }, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.all(addresses.map((address) => tryAddress(address, port, controller.signal, signal)));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function tryAddress(
  ip: IpAddress,
  port: number,
  deadline: AbortSignal,
  signal: AbortSignal,
): Promise<AddressFinding> {
  const began = monotonicNow();
  let error: TunnelError | undefined;
  try {
    (await connectToFirst([ip], port, { signal: deadline })).destroy();
  } catch (failure) {
    signal.throwIfAborted();
    if (!(failure instanceof TunnelError)) throw failure;
    error = failure;
  }
  return { address: ip.address, elapsedMs: monotonicNow() - began, error };
}
