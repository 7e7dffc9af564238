import { monotonicNow } from '@tunnel/shared/node';
import { formatBytes } from '../output/byte-count.ts';
import { formatLatency, median } from './latency.ts';
import type { LinkWalk } from './link-walk.ts';
import { failed, passed, type Step, troubleOf, warned } from './step.ts';
import { EchoVisitor, type VisitorOptions } from './visitor.ts';

const PROBES = 5;
/** A longer round trip, in ms, is not distance but something on the way that buffers what it forwards. */
const DELAY_MS = 1_000;
/** How often the link is probed during the stay, in ms. */
const LOOK_MS = 5_000;
/** A visitor may notice the end of the link this much earlier than the link's owner, in ms. */
const END_GRACE_MS = 200;

/** The round trip inside the session. Undefined if the link ended meanwhile. */
export async function checkLatency(walk: LinkWalk, timeoutMs: number): Promise<Step | undefined> {
  const times: number[] = [];
  for (let count = 0; count < PROBES; count += 1) {
    const ms = await walk.client.probe(timeoutMs);
    if (ms === undefined) return undefined;
    times.push(ms);
  }
  const ms = median(times);
  const text = `${PROBES} heartbeats answered, in ${formatLatency(Math.min(...times))} to ${formatLatency(Math.max(...times))}`;
  if (ms <= DELAY_MS) return passed('latency', text, ms);
  const hint =
    'something in between seems to hold small messages back: have it buffer nothing, or go around it with wss://';
  return warned('latency', { code: 'heartbeat-timeout', reason: text, hint }, ms);
}

/** Checks the way of a visitor: through the public port to this process and back. */
export async function checkWayBack(
  options: VisitorOptions,
): Promise<{ readonly step: Step; readonly roundTripMs: number | undefined }> {
  const began = monotonicNow();
  try {
    using visitor = await EchoVisitor.connect(options);
    const connectMs = monotonicNow() - began;
    const roundTripMs = await visitor.roundTripMs();
    const { bytes, elapsedMs } = await visitor.bulk();
    const text = `connected and answered in ${formatLatency(connectMs)}; ${formatBytes(bytes)} there and back in ${formatLatency(elapsedMs)}, every byte right, half-close kept`;
    return { step: passed('visitor', text, roundTripMs), roundTripMs };
  } catch (error) {
    const trouble = troubleOf(error);
    const elapsedMs = monotonicNow() - began;
    // Many networks do not route back to their own public address, which says nothing about other visitors.
    const step =
      trouble.code === 'public-port-unreachable'
        ? warned('visitor', trouble, elapsedMs)
        : failed('visitor', trouble, elapsedMs);
    return { step, roundTripMs: undefined };
  }
}

/** Whether the link and a visitor's connection survive a period with only heartbeats. */
export async function checkStay(walk: LinkWalk, options: VisitorOptions, forMs: number): Promise<Step> {
  const began = monotonicNow();
  try {
    using visitor = await EchoVisitor.connect(options);
    visitor.setTimeout(0);
    const times: number[] = [];
    for (let leftMs = forMs; leftMs > 0; leftMs = forMs - (monotonicNow() - began)) {
      const ended = await Promise.race([walk.ended, pause(Math.min(LOOK_MS, leftMs))]);
      if (ended) return failed('stay', ended, monotonicNow() - began);
      const ms = await walk.client.probe(options.timeoutMs);
      if (ms === undefined) return failed('stay', await walk.ended, monotonicNow() - began);
      times.push(ms);
    }
    visitor.setTimeout(options.timeoutMs);
    await visitor.roundTripMs();
    const text = `link and an idle visitor were still there; heartbeats took ${formatLatency(Math.min(...times))} to ${formatLatency(Math.max(...times))}`;
    return passed('stay', text, monotonicNow() - began);
  } catch (error) {
    const trouble = troubleOf(error);
    const ended = await Promise.race([walk.ended, pause(END_GRACE_MS)]);
    if (ended) return failed('stay', ended, monotonicNow() - began);
    const hint =
      'something between visitors and the server cuts idle connections: raise its time-outs, or have the service send keepalives';
    return warned('stay', { ...trouble, hint }, monotonicNow() - began);
  }
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}
