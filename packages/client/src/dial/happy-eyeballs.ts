import type { Socket } from 'node:net';
import { connect as netConnect } from 'node:net';

import { type ErrorCode, ERRORS, type Hint, TunnelError } from '@tunnel/shared';
import { describeSystemError } from '@tunnel/shared/node';

import { formatHostAndPort } from './address.ts';
import { type IpAddress, knownAddresses, type Lookup, nameLookups } from './name-lookups.ts';

/** RFC 8305, section 5: "Connection Attempt Delay", recommended value. */
const ATTEMPT_DELAY_MS = 250;

/** The most addresses to try: with the delay between them, the last one starts after 4 s. */
const GREATEST_ADDRESS_COUNT = 16;

/** Idle time before the first TCP keepalive probe. */
const KEEPALIVE_DELAY_MS = 15_000;

/** Something that is not as it should be but does not make the attempt fail. */
export interface DialWarning {
  readonly message: string;
  readonly cause: unknown;
}

export interface ConnectOptions {
  /**
   * Rejects with the signal's reason. If that is an `attempt-timeout`, rejects with `tcp-timeout` and what was tried.
   */
  readonly signal: AbortSignal;
  readonly onWarning?: ((warning: DialWarning) => void) | undefined;
  /** Starts a connection; for tests. */
  readonly connect?: ((address: IpAddress, port: number) => Socket) | undefined;
}

/**
 * The addresses to try for a host, in the order of RFC 8305, section 4: families alternate, IPv6 first. Looked up on
 * every call, except for a numeric host and `localhost`. Rejects with `dns-failed`, or with the signal's reason.
 */
export async function lookUpAddresses(
  host: string,
  {
    signal,
    lookup = (name) => nameLookups.forLink(name),
  }: { readonly signal: AbortSignal; readonly lookup?: Lookup | undefined },
): Promise<readonly IpAddress[]> {
  signal.throwIfAborted();
  const known = knownAddresses(host);
  if (known) return known;

  const { promise: aborted, stop } = rejectionOnAbort(signal);
  try {
    const addresses = await Promise.race([
      aborted,
      lookup(host).catch((error: unknown) => throwDnsFailed(host, error)),
    ]);
    if (addresses.length === 0) throw new TunnelError('dns-failed', { detail: `${host} has no address` });
    return interleaveFamilies(addresses).slice(0, GREATEST_ADDRESS_COUNT);
  } finally {
    stop();
  }
}

/** Alternates IPv6 and IPv4, each in the order given, without duplicates. */
export function interleaveFamilies(addresses: readonly IpAddress[]): IpAddress[] {
  if (addresses.length === 1) return [...addresses];
  const unique = [...new Map(addresses.map((each) => [each.address, each])).values()];
  const v6 = unique.filter(({ family }) => family === 6);
  const v4 = unique.filter(({ family }) => family !== 6);
  return Array.from({ length: Math.max(v6.length, v4.length) }, (_, index) => [v6[index], v4[index]])
    .flat()
    .filter((each) => each !== undefined);
}

/**
 * Opens a TCP connection to whichever address answers first (RFC 8305, section 5): attempts start 250 ms apart, or at
 * once after a failure, and none is abandoned before another has connected. The socket has TCP_NODELAY and keepalive
 * set, and a listener that keeps an error from ending the process. Rejects with a `tcp-…` code that fits everything
 * that was tried.
 */
export function connectToFirst(
  addresses: readonly IpAddress[],
  port: number,
  { signal, onWarning, connect = startConnection }: ConnectOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const waiting = [...addresses];
    const pending = new Map<Socket, IpAddress>();
    const failures: ConnectFailure[] = [];
    let timer: NodeJS.Timeout | undefined;

    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const socket of pending.keys()) socket.destroy();
      pending.clear();
    };
    const onAbort = (): void => {
      reject(abortedWhileConnecting(signal.reason, [...pending.values()], failures, port));
      end();
    };
    const startNext = (): void => {
      clearTimeout(timer);
      const address = waiting.shift();
      if (address === undefined) {
        if (pending.size > 0) return;
        end();
        reject(connectFailed(failures, port));
        return;
      }
      const socket = connect(address, port);
      pending.set(socket, address);
      socket.on('error', (error: NodeJS.ErrnoException) => {
        // Later errors concern the socket's next owner, who also gets 'close'.
        if (!pending.delete(socket)) return;
        failures.push({ address, error });
        startNext();
      });
      socket.once('connect', () => {
        if (!pending.delete(socket)) return;
        end();
        setSocketOptions(socket, onWarning);
        resolve(socket);
      });
      if (waiting.length > 0) timer = setTimeout(startNext, ATTEMPT_DELAY_MS);
    };

    signal.addEventListener('abort', onAbort, { once: true });
    startNext();
  });
}

interface ConnectFailure {
  readonly address: IpAddress;
  readonly error: NodeJS.ErrnoException;
}

function startConnection({ address, family }: IpAddress, port: number): Socket {
  return netConnect({ host: address, port, family, autoSelectFamily: false });
}

function setSocketOptions(socket: Socket, onWarning: ConnectOptions['onWarning']): void {
  socket.setNoDelay(true);
  try {
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
  } catch (error) {
    onWarning?.({ message: 'TCP keepalive could not be set', cause: error });
  }
}

type TcpFailureCode = Extract<ErrorCode, `tcp-${string}`>;

const CODES_BY_ERRNO: ReadonlyMap<string, TcpFailureCode> = new Map([
  ['ECONNREFUSED', 'tcp-refused'],
  ['ETIMEDOUT', 'tcp-timeout'],
  ['EHOSTUNREACH', 'tcp-unreachable'],
  ['ENETUNREACH', 'tcp-unreachable'],
  // Reported by a machine without an address of that family.
  ['EADDRNOTAVAIL', 'tcp-unreachable'],
  ['EAFNOSUPPORT', 'tcp-unreachable'],
]);

const RAISE_FILE_LIMIT: Hint = { id: 'open-files-limit' };
const FIREWALL_HINT: Hint = { id: 'outgoing-firewall' };

/** For errors where the usual hint would be misleading. */
const HINTS_BY_ERRNO: ReadonlyMap<string, Hint> = new Map<string, Hint>([
  ['EMFILE', RAISE_FILE_LIMIT],
  ['ENFILE', RAISE_FILE_LIMIT],
  ['EACCES', FIREWALL_HINT],
  ['EPERM', FIREWALL_HINT],
]);

function connectFailed(failures: readonly ConnectFailure[], port: number): TunnelError {
  const codes = new Set(failures.map(({ error }) => CODES_BY_ERRNO.get(error.code ?? '') ?? 'tcp-failed'));
  // A machine without IPv6 cannot reach any IPv6 address, so the other errors say more.
  if (codes.size > 1) codes.delete('tcp-unreachable');
  const [code = 'tcp-failed'] = codes;
  const outcome = codes.size === 1 ? code : 'tcp-failed';
  const hint = failures.map(({ error }) => HINTS_BY_ERRNO.get(error.code ?? '')).find((each) => each !== undefined);
  return new TunnelError(outcome, {
    detail: failures.map((failure) => describeFailure(failure, port, outcome)).join(', '),
    ...(outcome === 'tcp-failed' && hint !== undefined && { hint }),
    cause: causeOf(failures),
  });
}

function abortedWhileConnecting(
  reason: unknown,
  pending: readonly IpAddress[],
  failures: readonly ConnectFailure[],
  port: number,
): Error {
  if (!(reason instanceof TunnelError && reason.code === 'attempt-timeout')) return reason as Error;
  const unanswered = pending.map(({ address }) => formatHostAndPort(address, port));
  return new TunnelError('tcp-timeout', {
    detail: [...unanswered, ...failures.map((failure) => describeFailure(failure, port, 'tcp-timeout'))].join(', '),
    cause: reason,
  });
}

/** Leaves out what the summary of `outcome` already says. */
function describeFailure({ address, error }: ConnectFailure, port: number, outcome: TcpFailureCode): string {
  const words = describeSystemError(error);
  const parts = [words, error.code ?? words].filter((part) => part !== ERRORS[outcome].summary);
  return `${formatHostAndPort(address.address, port)} (${[...new Set(parts)].join(', ')})`;
}

function causeOf(failures: readonly ConnectFailure[]): unknown {
  const errors = failures.map(({ error }) => error);
  return errors.length === 1 ? errors[0] : new AggregateError(errors);
}

function throwDnsFailed(host: string, error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code ?? 'failed';
  throw new TunnelError('dns-failed', {
    detail: `${host}, ${describeSystemError(error)} (${code})`,
    ...(code === 'EAI_AGAIN' && { hint: { id: 'name-server-silent' } }),
    cause: error,
  });
}

function rejectionOnAbort(signal: AbortSignal): { promise: Promise<never>; stop: () => void } {
  let onAbort = (): void => {};
  const promise = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  return { promise, stop: () => signal.removeEventListener('abort', onAbort) };
}
