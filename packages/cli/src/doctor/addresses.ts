import type { ServerAddress } from '@tunnel/client';
import { type AddressFinding, lookUpAddresses, tryEachAddress } from '@tunnel/client/internal';
import { ERRORS, TunnelError } from '@tunnel/shared';
import { monotonicNow } from '@tunnel/shared/node';
import { formatTarget } from '../values/target.ts';
import { formatLatency } from './latency.ts';
import { failed, passed, type Step, troubleOf, warned } from './step.ts';

/**
 * Looks the server's name up and tries each of its addresses. Returns the steps `name` and `tcp`, or the one that
 * failed.
 */
export async function checkAddresses(
  { host, port }: ServerAddress,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<readonly Step[]> {
  const began = monotonicNow();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let addresses: Awaited<ReturnType<typeof lookUpAddresses>>;
  try {
    addresses = await lookUpAddresses(host, { signal: deadline });
  } catch (cause) {
    signal.throwIfAborted();
    const isLate = deadline.aborted;
    const error = isLate ? new TunnelError('dns-failed', { detail: `${host}, timed out`, cause }) : cause;
    return [failed('name', troubleOf(error), monotonicNow() - began)];
  }
  const lookupMs = monotonicNow() - began;
  const findings = await tryEachAddress(addresses, port, { signal, timeoutMs });
  const isNumeric = addresses.length === 1 && addresses[0]?.address === host;
  const name = isNumeric
    ? passed('name', `${host} is an address: there is nothing to look up`)
    : passed('name', `${host} is ${addresses.map(({ address }) => address).join(', ')}`, lookupMs);
  return [name, judgeAddresses(findings, port)];
}

/** One address that accepts connections is enough, but one that does not respond delays every attempt. */
export function judgeAddresses(findings: readonly AddressFinding[], port: number): Step {
  const text = findings.map((finding) => describe(finding, port)).join('; ');
  const reached = findings.filter(({ error }) => error === undefined);
  const errors = findings.flatMap(({ error }) => error ?? []);
  // A machine without IPv6 cannot reach any IPv6 address, so the other errors say more.
  const worst = errors.find(({ code }) => code !== 'tcp-unreachable') ?? errors[0];
  if (reached.length === 0 && worst !== undefined) {
    const elapsedMs = Math.max(...findings.map(({ elapsedMs: each }) => each));
    return failed('tcp', { ...troubleOf(worst), reason: `${ERRORS[worst.code].summary}: ${text}` }, elapsedMs);
  }
  const elapsedMs = Math.min(...reached.map(({ elapsedMs: each }) => each));
  if (worst === undefined || worst.code === 'tcp-unreachable') return passed('tcp', text, elapsedMs);
  const hint = 'have the name lead only to addresses where the server answers: every attempt loses time at the others';
  return warned('tcp', { code: worst.code, reason: text, hint }, elapsedMs);
}

function describe({ address, elapsedMs, error }: AddressFinding, port: number): string {
  const name = formatTarget({ host: address, port });
  if (error === undefined) return `${name} answers in ${formatLatency(elapsedMs)}`;
  return error.code === 'tcp-timeout' ? `${name} does not answer` : error.detail;
}
