import { describe, expect, it } from 'vitest';
import type { HeartbeatFrame } from '../wire/frame.ts';
import { Heartbeat, MAX_NEXT_WITHIN_MS } from './heartbeat.ts';

const OWN = { intervalMs: 2000, timeoutMs: 8000 };

function beat(part: Partial<HeartbeatFrame> = {}): HeartbeatFrame {
  return { type: 'heartbeat', answerNow: false, timestamp: 0, echo: undefined, nextWithinMs: 2000, ...part };
}

/** Ticks at each deadline and sends what is due until the link is dead. Returns when that was noticed. */
function runToDeath(heartbeat: Heartbeat, bytesReadAt: (now: number) => number = () => 0): number {
  for (let count = 0; count < 10_000; count += 1) {
    const now = heartbeat.deadline;
    if (heartbeat.tick(now, bytesReadAt(now)) === 'dead') return now;
    if (heartbeat.isDue(now)) heartbeat.frame(now);
  }
  throw new Error('lives for ever');
}

describe('sending', () => {
  it('the first heartbeat goes at once and asks for an answer, later ones each interval and do not', () => {
    const heartbeat = new Heartbeat(OWN, 1000, 20);
    expect(heartbeat.deadline).toBe(1000);
    expect(heartbeat.tick(1000, 0)).toBe('alive');
    expect(heartbeat.isDue(1000)).toBe(true);
    expect(heartbeat.frame(1000)).toEqual(beat({ answerNow: true }));
    expect(heartbeat.deadline).toBe(3000);
    expect(heartbeat.isDue(2999)).toBe(false);
    expect(heartbeat.isDue(3000)).toBe(true);
    expect(heartbeat.frame(3000)).toEqual(beat({ timestamp: 2000 }));
  });

  it('wakes its owner once, also where the link takes no record', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.tick(0, 0);
    expect(heartbeat.deadline).toBe(6000);
    expect(heartbeat.isDue(1)).toBe(true);
  });

  it('a probe and a question go out before the interval', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.frame(0);
    heartbeat.recordReceived(500, 0);
    heartbeat.frameReceived(beat({ answerNow: true, timestamp: 77 }), 500);
    expect(heartbeat.deadline).toBeLessThanOrEqual(500);
    expect(heartbeat.isDue(500)).toBe(true);
    expect(heartbeat.frame(510)).toEqual(beat({ timestamp: 510, echo: { timestamp: 77, heldMs: 10 } }));
    expect(heartbeat.isDue(510)).toBe(false);
    heartbeat.probe(510);
    expect(heartbeat.isDue(510)).toBe(true);
    expect(heartbeat.frame(511).answerNow).toBe(true);
  });

  it('goes at least every quarter of the timeout', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.agree({ intervalMs: 60_000, timeoutMs: 1000 });
    heartbeat.frame(0);
    expect(heartbeat.deadline).toBe(250);
    expect(heartbeat.frame(250).nextWithinMs).toBe(250);
  });
});

describe('death', () => {
  it('comes exactly at the timeout', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.recordReceived(1234, 10);
    heartbeat.frameReceived(beat(), 1234);
    expect(heartbeat.tick(9233.9, 10)).not.toBe('dead');
    expect(runToDeath(heartbeat, () => 10)).toBe(9234);
  });

  it('comes at the smaller of the two timeouts, never below the least', () => {
    const smaller = new Heartbeat(OWN, 0, 20);
    smaller.agree({ intervalMs: 100, timeoutMs: 3000 });
    expect(smaller.timeoutMs).toBe(3000);
    expect(runToDeath(smaller)).toBe(3000);
    const larger = new Heartbeat(OWN, 0, 20);
    larger.agree({ intervalMs: 100, timeoutMs: 60_000 });
    expect(runToDeath(larger)).toBe(8000);
    const least = new Heartbeat(OWN, 0, 20);
    least.agree({ intervalMs: 0, timeoutMs: 0 });
    expect(least.timeoutMs).toBe(500);
    expect(least.intervalMs).toBe(125);
  });

  it('waits for what the peer announced, within a limit, until the next record', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.recordReceived(0, 0);
    heartbeat.frameReceived(beat({ nextWithinMs: 45_000 }), 0);
    expect(heartbeat.tick(45_000, 0)).toBe('alive');
    heartbeat.frame(45_000);
    expect(runToDeath(heartbeat)).toBe(45_000 - 2000 + 8000);

    const liar = new Heartbeat(OWN, 0, 20);
    liar.frameReceived(beat({ nextWithinMs: 0xffff_ffff }), 0);
    expect(runToDeath(liar)).toBe(MAX_NEXT_WITHIN_MS - 2000 + 8000);

    const snapped = new Heartbeat(OWN, 0, 20);
    snapped.frameReceived(beat({ nextWithinMs: 45_000 }), 0);
    snapped.recordReceived(100, 0);
    expect(runToDeath(snapped)).toBe(8100);
  });
});

describe('progress inside a record', () => {
  it('proves life, for at most four timeouts a record', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    expect(runToDeath(heartbeat, (now) => now)).toBe(4 * 8000 + 8000);
  });

  it('counts again after a record', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    for (let now = 0; now <= 30_000; now += 1000) {
      expect(heartbeat.tick(now, now)).toBe('alive');
      heartbeat.frame(now);
    }
    heartbeat.recordReceived(30_000, 30_000);
    expect(runToDeath(heartbeat, (now) => now)).toBe(30_000 + 40_000);
  });

  it('that stops is silence', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    expect(runToDeath(heartbeat, (now) => Math.min(now, 4000))).toBe(12_000);
  });
});

describe('doubt', () => {
  it('is told once, when the peer is late by half the timeout, and asks for a sign of life', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.frame(0);
    expect(heartbeat.tick(5999, 0)).toBe('alive');
    heartbeat.frame(5999);
    expect(heartbeat.deadline).toBe(6000);
    expect(heartbeat.tick(6000, 0)).toBe('doubtful');
    expect(heartbeat.frame(6000).answerNow).toBe(true);
    expect(heartbeat.tick(7000, 0)).toBe('alive');
    expect(heartbeat.tick(8000, 0)).toBe('dead');
  });

  it('is told again once something was heard in between', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    expect(heartbeat.tick(6000, 0)).toBe('doubtful');
    heartbeat.recordReceived(6100, 1);
    expect(heartbeat.tick(12_099, 1)).toBe('alive');
    expect(heartbeat.tick(12_100, 1)).toBe('doubtful');
  });
});

describe('a stall', () => {
  it('is not a death: it probes once and arms once more', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.frame(0);
    expect(heartbeat.tick(60_000, 0)).toBe('alive');
    expect(heartbeat.isDue(60_000)).toBe(true);
    expect(heartbeat.frame(60_000).answerNow).toBe(true);
    expect(heartbeat.tick(67_999, 0)).not.toBe('dead');
    expect(heartbeat.tick(68_000, 0)).toBe('dead');
    // Late again, with nothing heard since the first time.
    const twice = new Heartbeat(OWN, 0, 20);
    twice.tick(60_000, 0);
    expect(twice.tick(600_000, 0)).toBe('dead');
  });

  it('is only what is late by more than an interval', () => {
    expect(new Heartbeat(OWN, 0, 20).tick(8000 + 2000, 0)).toBe('dead');
    expect(new Heartbeat(OWN, 0, 20).tick(8000 + 2001, 0)).toBe('alive');
  });

  it('is forgotten once something is heard', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.tick(60_000, 0);
    heartbeat.recordReceived(60_001, 10);
    expect(heartbeat.tick(120_000, 10)).toBe('alive');
  });

  it('in the middle of a long record leaves its progress counting', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.tick(60_000, 0);
    heartbeat.frame(60_000);
    expect(runToDeath(heartbeat, (now) => Math.min(now, 64_000))).toBe(72_000);
  });

  it('does not wait for what the peer announced before', () => {
    const heartbeat = new Heartbeat(OWN, 0, 20);
    heartbeat.frameReceived(beat({ nextWithinMs: 45_000 }), 0);
    heartbeat.tick(600_000, 0);
    heartbeat.frame(600_000);
    expect(runToDeath(heartbeat)).toBe(608_000);
  });
});

describe('the round trip', () => {
  it('leaves out how long the answer was held, and never is below zero', () => {
    const heartbeat = new Heartbeat(OWN, 1000, 50);
    expect(heartbeat.roundTripMs).toBeUndefined();
    expect(heartbeat.leastRoundTripMs).toBe(50);
    expect(heartbeat.isAnswered).toBe(false);
    heartbeat.frameReceived(beat({ echo: { timestamp: 0, heldMs: 30 } }), 1100);
    expect(heartbeat.isAnswered).toBe(true);
    expect(heartbeat.roundTripMs).toBe(70);
    expect(heartbeat.leastRoundTripMs).toBe(50);
    heartbeat.frameReceived(beat({ echo: { timestamp: 200, heldMs: 0 } }), 1220);
    expect(heartbeat.roundTripMs).toBe(20);
    expect(heartbeat.leastRoundTripMs).toBe(20);
    heartbeat.frameReceived(beat({ echo: { timestamp: 300, heldMs: 1 } }), 1300);
    expect(heartbeat.roundTripMs).toBe(0);
  });

  it('is right where the timestamp wraps around', () => {
    const wrap = 2 ** 32;
    const heartbeat = new Heartbeat(OWN, 0, 50);
    const { timestamp } = heartbeat.frame(wrap - 10);
    expect(timestamp).toBe(wrap - 10);
    expect(heartbeat.frame(wrap + 5).timestamp).toBe(5);
    heartbeat.frameReceived(beat({ echo: { timestamp, heldMs: 0 } }), wrap + 30);
    expect(heartbeat.roundTripMs).toBe(40);
  });

  it('is not taken from an echo that cannot be', () => {
    const heartbeat = new Heartbeat(OWN, 0, 50);
    heartbeat.frameReceived(beat({ echo: { timestamp: 1000, heldMs: 0 } }), 500);
    expect(heartbeat.roundTripMs).toBeUndefined();
    expect(heartbeat.leastRoundTripMs).toBe(50);
  });
});
