import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { ErrorCode } from '../errors/errors.ts';
import { ERRORS, TunnelError } from '../errors/errors.ts';
import type { LinkFailure, RetryDecision } from './retry-policy.ts';
import { RetryPolicy } from './retry-policy.ts';

/** Drives a policy with a fake clock that skips every wait. */
class Driver {
  readonly policy: RetryPolicy;
  now = 1_000_000;
  last: RetryDecision | undefined;

  constructor(random: number | (() => number) = 0.5, maxReconnectDelayMs = 30_000) {
    this.policy = new RetryPolicy({
      random: typeof random === 'number' ? () => random : random,
      maxReconnectDelayMs,
    });
  }

  /** Fails, waits, and returns how long the wait was. */
  fail(error: LinkFailure | ErrorCode = 'tcp-refused'): number {
    const delayMs = this.failWithoutWait(error);
    this.now += delayMs;
    return delayMs;
  }

  failWithoutWait(error: LinkFailure | ErrorCode = 'tcp-refused'): number {
    this.last = this.policy.failed({ error: typeof error === 'string' ? { code: error } : error, now: this.now });
    if (this.last.kind === 'stop') throw new Error(`stopped: ${this.last.code}`);
    return this.last.delayMs;
  }

  fails(count: number, error?: LinkFailure | ErrorCode): number[] {
    return Array.from({ length: count }, () => this.fail(error));
  }

  /** A link that is established and then lives for `lifetimeMs`. */
  link(lifetimeMs: number): void {
    this.policy.established(this.now);
    this.now += lifetimeMs;
  }

  get attempt(): number {
    return this.last?.kind === 'wait' ? this.last.attempt : 0;
  }
}

function expectWithin(value: number, least: number, most: number): void {
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
}

const codes = Object.keys(ERRORS) as ErrorCode[];
const exponential = [150, 275, 525, 1025, 2025, 4025, 8025, 15025, 15025];

describe('what is tried again', () => {
  test.each(codes)('%s at the start and later', (code) => {
    const { disposition } = ERRORS[code];
    const atStart = new Driver().policy.failed({ error: { code }, now: 0 });
    expect(atStart.kind).toBe(disposition.startsWith('fatal') ? 'stop' : 'wait');

    const later = new Driver();
    later.link(60_000);
    const decision = later.policy.failed({ error: new TunnelError(code), now: later.now });
    expect(decision).toMatchObject(disposition === 'fatal' ? { kind: 'stop', code } : { kind: 'wait', attempt: 1 });
  });

  test('a failure at the start stays fatal after other failures without a link', () => {
    const driver = new Driver();
    driver.fails(3);
    expect(driver.policy.wasEverEstablished).toBe(false);
    expect(() => driver.fail('proxy-auth-required')).toThrow('stopped: proxy-auth-required');
  });

  test('a changed server key is retried at the cap', () => {
    for (const [random, expected] of [
      [0, 24_000],
      [0.5, 27_000],
      [0.999_999, 30_000],
    ] as const) {
      const driver = new Driver(random);
      driver.link(60_000);
      driver.fail();
      expect(driver.fails(3, 'server-key-changed')).toEqual([expected, expected, expected]);
    }
  });
});

describe('the delay', () => {
  test('grows to the cap and stays there', () => {
    const driver = new Driver();
    expect(driver.fails(9)).toEqual(exponential);
    expect(driver.attempt).toBe(9);
  });

  test('goes back to the start after a stable link', () => {
    const driver = new Driver();
    driver.fails(20);
    driver.link(60_000);
    expect(driver.fails(9)).toEqual(exponential);
    expect(driver.attempt).toBe(9);
  });

  test('does not go back for a link that never answered', () => {
    const driver = new Driver();
    driver.fails(4);
    expect(driver.fail('link-reset')).toBe(exponential[4]);
  });

  test('of the first failure follows a random number, like all', () => {
    expect(new Driver(0).fails(4)).toEqual([50, 50, 50, 50]);
    expect(new Driver(1 - Number.EPSILON).fails(4)).toEqual([249, 499, 999, 1999]);
  });
});

describe('a link that keeps dying young', () => {
  test('has five quick retries, then the exponential rule goes on', () => {
    const driver = new Driver();
    const delays = Array.from({ length: 10 }, () => {
      driver.link(0);
      return driver.fail('link-reset');
    });
    expect(delays).toEqual([150, 150, 150, 150, 150, 275, 525, 1025, 2025, 4025]);
    expect(driver.attempt).toBe(1);
  });

  test('gets a quick retry back every 10 s, and then goes on where it was', () => {
    const driver = new Driver();
    const delays = Array.from({ length: 16 }, () => {
      driver.link(0);
      return driver.fail('link-reset');
    });
    // Deaths 1 to 11 wait 16.6 s in total, worth 1.6 quick retries; the 15 s bring 1.5 more.
    expect(delays.slice(0, 11)).toEqual([150, 150, 150, 150, 150, 275, 525, 1025, 2025, 4025, 8025]);
    expect(delays.slice(11)).toEqual([150, 15025, 150, 150, 15025]);
  });

  test('goes on where failed attempts had brought it', () => {
    const driver = new Driver();
    for (let death = 0; death < 5; death += 1) {
      driver.link(0);
      driver.fail('link-reset');
    }
    expect(driver.fails(3)).toEqual([275, 525, 1025]);
    driver.link(0);
    expect(driver.fail('link-reset')).toBe(2025);
  });

  test('starts anew in earnest once a link lived for ten seconds', () => {
    const driver = new Driver();
    for (let death = 0; death < 12; death += 1) {
      driver.link(0);
      driver.fail('link-reset');
    }
    driver.link(10_000);
    expect(driver.fail()).toBe(150);
    driver.link(0);
    // Back at the start: the growth from earlier deaths is forgotten.
    expect(driver.fail()).toBeLessThanOrEqual(275);
  });

  test('counts as one link however often it is said to be established', () => {
    const driver = new Driver();
    for (let death = 0; death < 5; death += 1) {
      driver.link(0);
      driver.fail('link-reset');
    }
    driver.link(9_000);
    driver.link(3_000);
    expect(driver.fail('link-reset')).toBe(150);
  });

  test('comes back at most about once in three seconds for ever, whatever it does', () => {
    const driver = new Driver();
    const begin = driver.now;
    for (let death = 0; death < 1_000; death += 1) {
      driver.link(0);
      driver.fail(death % 3 === 0 ? 'session-unknown' : 'link-reset');
    }
    expect((driver.now - begin) / 1_000).toBeGreaterThan(3_000);
  });
});

describe('retry-now', () => {
  test('waits about the floor, once for each established link', () => {
    const driver = new Driver();
    driver.link(60_000);
    expect(driver.fail('link-reset')).toBe(150);
    expect(driver.fails(4, 'session-unknown')).toEqual([75, 275, 525, 1025]);
    driver.link(60_000);
    driver.fail('link-reset');
    expect(driver.fail('session-expired')).toBe(75);
  });

  test('does not come back by alternating with something else', () => {
    const driver = new Driver();
    const delays = Array.from({ length: 6 }, (_, index) => driver.fail(index % 2 ? 'link-reset' : 'session-unknown'));
    expect(delays).toEqual([75, 150, 275, 525, 1025, 2025]);
  });
});

describe('a hint when to come back', () => {
  const authenticated = (retryAfterMs: number): LinkFailure => ({
    code: 'server-stopped',
    retryAfterMs,
    authenticated: true,
  });
  const unauthenticated = (retryAfterMs: number): LinkFailure => ({ code: 'upgrade-refused', retryAfterMs });

  test.each([
    ['authenticated', authenticated(60_000), 0, 60_000],
    ['authenticated, spread', authenticated(60_000), 0.999_999, 75_000],
    ['authenticated, near the limit', authenticated(290_000), 0.999_999, 300_000],
    ['authenticated, at the limit', authenticated(300_000), 0, 300_000],
    ['authenticated, over the limit', authenticated(300_001), 0, 240_000],
    ['authenticated, endless', authenticated(Number.POSITIVE_INFINITY), 0.999_999, 300_000],
    ['unauthenticated', unauthenticated(10_000), 0.5, 11_250],
    ['unauthenticated, near the cap', unauthenticated(29_000), 0.999_999, 30_000],
    ['unauthenticated, over the cap', unauthenticated(3_600_000), 0, 24_000],
    ['unauthenticated, over the cap, spread', unauthenticated(3_600_000), 0.999_999, 30_000],
    ['shorter than the backoff', authenticated(10), 0.5, 150],
    ['of nothing', authenticated(0), 0.5, 150],
    ['below nothing', authenticated(-5), 0.5, 150],
    ['not a number', authenticated(Number.NaN), 0.5, 150],
  ])('%s', (_name, error, random, expected) => {
    expect(new Driver(random).fail(error)).toBe(expected);
  });

  test('is read from a TunnelError, which counts as unauthenticated unless it says otherwise', () => {
    const unsaid = new TunnelError('server-stopped', { retryAfterMs: 100_000 });
    const said = new TunnelError('server-stopped', { retryAfterMs: 100_000, authenticated: true });
    expect(new Driver(0).fail(unsaid)).toBe(24_000);
    expect(new Driver(0).fail(said)).toBe(100_000);
  });

  test('of a server is not cut short by waking or another network, only by the user', () => {
    const driver = new Driver(0);
    driver.failWithoutWait(authenticated(60_000));
    expect(driver.policy.woke(driver.now + 10_000)).toBe(50_000);
    expect(driver.policy.networkChanged(driver.now + 20_000)).toBe(40_000);
    expect(driver.policy.requestedByUser(driver.now + 30_000)).toBe(0);
  });

  test('of nobody knows whom is cut short by another network', () => {
    const driver = new Driver();
    driver.failWithoutWait(unauthenticated(20_000));
    expect(driver.policy.networkChanged(driver.now)).toBe(150);
  });

  test('counts for one wait only', () => {
    const driver = new Driver();
    driver.fail(authenticated(60_000));
    driver.failWithoutWait();
    expect(driver.policy.woke(driver.now)).toBe(150);
  });
});

describe('resets', () => {
  test.each(['woke', 'networkChanged'] as const)('%s: the wait is cut short and the delay goes back', (event) => {
    const driver = new Driver();
    driver.fails(10);
    expect(driver.failWithoutWait()).toBe(15_025);
    const leftMs = driver.policy[event](driver.now + 1_000);
    expect(leftMs).toBe(150);
    driver.now += 1_000 + leftMs;
    expect(driver.fail()).toBe(150);
    expect(driver.attempt).toBe(12);
  });

  test('a wait that is nearly over does not get longer, and none is negative', () => {
    const driver = new Driver();
    driver.failWithoutWait();
    expect(driver.policy.woke(driver.now + 140)).toBe(10);
    expect(driver.policy.woke(driver.now + 5_000)).toBe(0);
    expect(new Driver().policy.woke(0)).toBe(0);
  });

  test('the user: at once, and everything from the start', () => {
    const driver = new Driver();
    for (let death = 0; death < 10; death += 1) {
      driver.link(0);
      driver.fail('link-reset');
    }
    expect(driver.policy.requestedByUser(driver.now)).toBe(0);
    driver.link(0);
    expect(driver.fail('link-reset')).toBe(150);
    driver.link(0);
    expect(driver.fail('link-reset')).toBe(150);
  });

  test('a full server is not asked sooner because of them, with or without a hint', () => {
    const hinted = new Driver();
    hinted.fails(5);
    hinted.failWithoutWait({ code: 'at-capacity', retryAfterMs: 20_000 });
    expect(hinted.policy.woke(hinted.now + 500)).toBe(22_000);
    const plain = new Driver();
    plain.fails(6);
    expect(plain.failWithoutWait('at-capacity')).toBe(8025);
    expect(plain.policy.networkChanged(plain.now + 25)).toBe(8000);
    expect(plain.policy.requestedByUser(plain.now + 25)).toBe(0);
  });
});

test('three thousand failed attempts, and then it comes back', () => {
  // A fixed generator (mulberry32): well spread, and the same in every run.
  let state = 42;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const driver = new Driver(random);
  const delays = driver.fails(3_000);
  expect(driver.attempt).toBe(3_000);
  expect(delays.every((delayMs) => Number.isInteger(delayMs) && delayMs >= 50 && delayMs <= 30_000)).toBe(true);

  const atTheCap = delays.slice(7);
  const quartiles = [0, 0, 0, 0];
  for (const delayMs of atTheCap) {
    const quartile = Math.min(3, Math.floor((4 * (delayMs - 50)) / (30_000 - 50)));
    quartiles[quartile] = (quartiles[quartile] ?? 0) + 1;
  }
  for (const count of quartiles) expect(Math.abs(count / atTheCap.length - 0.25)).toBeLessThan(0.03);

  driver.link(60_000);
  const first = driver.fail('link-reset');
  expect(first).toBeGreaterThanOrEqual(50);
  expect(first).toBeLessThan(250);
  expect(driver.attempt).toBe(1);
});

test('whatever happens, every wait has its bounds and only fatal codes stop', () => {
  const retryable = codes.filter((code) => ERRORS[code].disposition !== 'fatal');
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('fail' as const),
      code: fc.constantFrom(...retryable),
      retryAfterMs: fc.option(fc.oneof(fc.double(), fc.integer({ min: -10, max: 1_000_000 })), { nil: undefined }),
      authenticated: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('link' as const), lifetimeMs: fc.nat(60_000) }),
    fc.record({ kind: fc.constantFrom('woke', 'networkChanged', 'requestedByUser'), afterMs: fc.nat(40_000) }),
  );
  const randomNumber = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const property = fc.property(
    fc.array(step),
    fc.infiniteStream(randomNumber),
    fc.integer({ min: 50, max: 100_000 }),
    (...given) => {
      const [steps, numbers, capMs] = given;
      const policy = new RetryPolicy({
        random: () => numbers.next().value,
        maxReconnectDelayMs: capMs,
      });
      let now = 0;
      let leftMs = 0;
      policy.established(now);
      for (const event of steps) {
        if (event.kind === 'fail') {
          const decision = policy.failed({ error: event, now });
          if (decision.kind === 'stop') throw new Error(`stopped by ${event.code}`);
          leftMs = decision.delayMs;
          const mayBeHinted = event.authenticated && event.retryAfterMs !== undefined;
          expectWithin(leftMs, 50, mayBeHinted ? Math.max(300_000, capMs) : capMs);
          expectWithin(decision.attempt, 1, steps.length);
        } else if (event.kind === 'link') {
          now += leftMs;
          leftMs = 0;
          policy.established(now);
          now += event.lifetimeMs;
        } else {
          const afterMs = Math.min(event.afterMs, leftMs);
          now += afterMs;
          leftMs -= afterMs;
          const sooner = policy[event.kind](now);
          expectWithin(sooner, 0, leftMs);
          leftMs = sooner;
        }
      }
    },
  );
  expect(() => fc.assert(property)).not.toThrow();
});
