import { describe, expect, test } from 'vitest';
import { AcmeIssuer, type AcmeIssuerOptions, ORDERS_AT_ONCE, SHARE_LIMIT } from './acme-issuer.ts';

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const LIFE = 90 * DAY;

/** A sequence of numbers that look random, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

/** An issuer under a clock that the test moves. */
class Scene {
  now = 1_800_000_000_000;
  issuer: AcmeIssuer;
  readonly #options: AcmeIssuerOptions;

  constructor(options: Partial<AcmeIssuerOptions> = {}) {
    this.#options = { weeklyLimit: 40, random: () => 0.5, ...options };
    this.issuer = new AcmeIssuer(this.#options);
  }

  /** As after a restart: it knows what was kept, and nobody wants anything yet. */
  restart(): void {
    this.issuer = new AcmeIssuer({ ...this.#options, records: structuredClone(this.issuer.records) });
  }

  next(): string | undefined {
    return this.issuer.next(this.now);
  }

  issue(host: string, lifeMs = LIFE): void {
    this.issuer.issued(host, { fromMs: this.now, untilMs: this.now + lifeMs }, this.now);
  }

  /** Orders and issues whatever is due now. */
  issueAll(): string[] {
    const issued: string[] = [];
    for (let host = this.next(); host !== undefined; host = this.next()) {
      issued.push(host);
      this.issue(host);
    }
    return issued;
  }

  fail(host: string, isAuthoritys = false, retryAfterMs = 0): number {
    return this.issuer.failed(host, isAuthoritys, retryAfterMs, this.now);
  }

  /** Moves the clock to when something is due. */
  pass(): number {
    const before = this.now;
    this.now = this.issuer.dueAt(this.now) ?? Infinity;
    return this.now - before;
  }
}

describe('orders', () => {
  test('are made for what is wanted, once, and for nothing else', () => {
    const scene = new Scene();
    expect(scene.next()).toBeUndefined();
    expect(scene.issuer.dueAt(scene.now)).toBeUndefined();
    scene.issuer.want('a', 'key');
    expect(scene.issuer.dueAt(scene.now)).toBe(scene.now);
    expect(scene.next()).toBe('a');
    expect(scene.next()).toBeUndefined();
    scene.issue('a');
    scene.issuer.drop('a');
    scene.issuer.want('a', 'key');
    expect(scene.next()).toBeUndefined();
  });

  test('are not made for a name that was given back first', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.issuer.drop('a');
    expect(scene.next()).toBeUndefined();
    expect(scene.issuer.records).toEqual([]);
  });

  test('begin with the own name, then go round the clients, a few at a time', () => {
    const scene = new Scene();
    for (const host of ['a1', 'a2', 'a3', 'a4']) scene.issuer.want(host, 'a');
    scene.issuer.want('b1', 'b');
    scene.issuer.want('own', '');
    const first = Array.from({ length: ORDERS_AT_ONCE }, () => scene.next());
    expect(first).toEqual(['own', 'a1', 'b1', 'a2']);
    expect(scene.next()).toBeUndefined();
    expect(scene.issuer.dueAt(scene.now)).toBeUndefined();
    scene.issue('b1');
    expect(scene.next()).toBe('a3');
  });
});

describe('limits', () => {
  test('one client has its share of a week, and the others theirs', () => {
    const scene = new Scene();
    for (let index = 0; index < 100; index += 1) scene.issuer.want(`a${index}`, 'a');
    expect(scene.issueAll()).toHaveLength(SHARE_LIMIT);
    expect(scene.issuer.limited(scene.now)).toHaveLength(100 - SHARE_LIMIT);
    expect(scene.issuer.limited(scene.now).at(-1)).toEqual({ host: 'a99', limit: 'share' });
    scene.issuer.want('b', 'b');
    expect(scene.issueAll()).toEqual(['b']);
    expect(scene.pass()).toBe(7 * DAY);
    expect(scene.issueAll()).toHaveLength(SHARE_LIMIT);
  });

  test('all together have the limit of a week, the own name apart', () => {
    const scene = new Scene({ weeklyLimit: 12 });
    for (let index = 0; index < 20; index += 1) scene.issuer.want(`host${index}`, `client${index}`);
    expect(scene.issueAll()).toHaveLength(12);
    expect(scene.issuer.limited(scene.now).at(-1)).toEqual({ host: 'host19', limit: 'week' });
    scene.issuer.want('own', '');
    expect(scene.issueAll()).toEqual(['own']);
  });

  test('take no longer to hold where there are thousands of names', () => {
    const scene = new Scene();
    for (let index = 0; index < 20_000; index += 1) scene.issuer.want(`a${index}`, `client${index % 4_000}`);
    const before = performance.now();
    expect(scene.issueAll()).toHaveLength(40);
    // With a look at every name for every name it would be minutes.
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(scene.issuer.limited(scene.now)).toHaveLength(20_000 - 40);
  });

  test('hold across restarts', () => {
    const scene = new Scene();
    for (let index = 0; index < 9; index += 1) scene.issuer.want(`a${index}`, 'a');
    scene.issueAll();
    scene.restart();
    for (let index = 10; index < 19; index += 1) scene.issuer.want(`a${index}`, 'a');
    expect(scene.next()).toBeUndefined();
    expect(scene.pass()).toBe(7 * DAY);
    expect(scene.issueAll()).toHaveLength(SHARE_LIMIT);
  });

  test('count names that fail for hours, however often they are given back, and forget them then', () => {
    const scene = new Scene();
    for (let index = 0; index < 50; index += 1) {
      scene.issuer.want(`a${index}`, 'a');
      const host = scene.next();
      if (host !== undefined) scene.fail(host);
      scene.issuer.drop(`a${index}`);
    }
    expect(scene.issuer.records).toHaveLength(SHARE_LIMIT);
    scene.issuer.want('last', 'a');
    expect(scene.pass()).toBe(3 * HOUR);
    expect(scene.next()).toBe('last');
    expect(scene.issuer.records.map(({ host }) => host)).toEqual(['last']);
  });

  test('do not count renewals', () => {
    const scene = new Scene({ weeklyLimit: 1 });
    scene.issuer.known('a', { fromMs: scene.now - LIFE, untilMs: scene.now });
    scene.issuer.want('a', 'a');
    scene.issuer.want('b', 'a');
    expect(scene.issueAll()).toEqual(['a', 'b']);
  });
});

describe('failures', () => {
  test('of a name pause it longer and longer, and nothing else', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    const pauses: number[] = [];
    for (let count = 0; count < 10; count += 1) {
      expect(scene.next()).toBe('a');
      pauses.push(scene.fail('a') / MINUTE);
      expect(scene.issuer.limited(scene.now)).toEqual([]);
      expect(scene.issuer.failuresOf('a')).toBe(count + 1);
      scene.pass();
    }
    expect(pauses).toEqual([1, 3, 9, 27, 81, 243, 729, 1440, 1440, 1440]);
    expect(scene.next()).toBe('a');
    scene.fail('a');
    scene.issuer.want('b', 'key');
    expect(scene.next()).toBe('b');
  });

  test('are not forgotten by a restart, nor by giving the name back', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.next();
    scene.fail('a');
    scene.issuer.drop('a');
    scene.issuer.want('a', 'key');
    expect(scene.next()).toBeUndefined();
    scene.restart();
    scene.issuer.want('a', 'key');
    expect(scene.pass()).toBe(MINUTE);
    expect(scene.next()).toBe('a');
    expect(scene.fail('a')).toBe(3 * MINUTE);
  });

  test('of the authority pause everything, and one order tries whether it is back', () => {
    const scene = new Scene();
    for (const host of ['a', 'b', 'c']) scene.issuer.want(host, host);
    expect([scene.next(), scene.next()]).toEqual(['a', 'b']);
    expect(scene.fail('a', true)).toBe(MINUTE);
    expect(scene.fail('b', true)).toBe(MINUTE);
    expect(scene.next()).toBeUndefined();
    expect(scene.pass()).toBe(MINUTE);
    expect([scene.next(), scene.next()]).toEqual(['c', undefined]);
    expect(scene.fail('c', true)).toBe(3 * MINUTE);
    scene.pass();
    expect(scene.issueAll()).toEqual(['a', 'b', 'c']);
  });

  test('wait as long as the authority asks for, but not for ever', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.next();
    expect(scene.fail('a', false, HOUR)).toBe(HOUR);
    expect(scene.pass()).toBe(HOUR);
    scene.next();
    expect(scene.fail('a', true, 1000 * DAY)).toBe(DAY);
    expect(scene.pass()).toBe(DAY);
  });

  test('end with a certificate', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.next();
    scene.fail('a');
    scene.pass();
    scene.next();
    scene.issue('a', 3 * MINUTE);
    scene.pass();
    expect(scene.next()).toBe('a');
    expect(scene.fail('a')).toBe(MINUTE);
  });
});

describe('renewals', () => {
  test.each([0, 0.5, 0.999_999])('are due after two thirds of the life, some earlier: %d', (random) => {
    const scene = new Scene({ random: () => random });
    scene.issuer.want('a', 'key');
    scene.issueAll();
    expect(scene.pass() / LIFE).toBeCloseTo(2 / 3 - random / 30, 5);
    expect(scene.next()).toBe('a');
  });

  test('do not come all at once for certificates of one day', () => {
    const scene = new Scene({ random: seeded(7) });
    for (let index = 0; index < 40; index += 1) scene.issuer.want(`host${index}`, `client${index}`);
    scene.issueAll();
    const dueAt = new Set<number>();
    for (let index = 0; index < 40; index += 1) {
      scene.pass();
      dueAt.add(Math.floor(scene.now / HOUR));
      scene.issueAll();
    }
    expect(dueAt.size).toBeGreaterThan(20);
  });

  test('are not made while nobody wants the name, and at once when somebody does again', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.issueAll();
    scene.issuer.drop('a');
    expect(scene.issuer.dueAt(scene.now)).toBeUndefined();
    scene.now += 80 * DAY;
    expect(scene.next()).toBeUndefined();
    scene.issuer.want('a', 'key');
    expect(scene.next()).toBe('a');
    scene.issue('a');
    scene.issuer.drop('a');
    scene.now += 91 * DAY;
    expect(scene.issuer.ended(scene.now)).toEqual(['a']);
    expect(scene.issuer.ended(scene.now)).toEqual([]);
  });

  test('go on at once when the clock jumps', () => {
    const scene = new Scene();
    scene.issuer.want('a', 'key');
    scene.issueAll();
    scene.now += 10 * 365 * DAY;
    expect(scene.issuer.dueAt(scene.now)).toBeLessThanOrEqual(scene.now);
    expect(scene.issueAll()).toEqual(['a']);
  });
});

test('clocks that disagree do not order the same name again and again', () => {
  const scene = new Scene();
  scene.issuer.want('a', 'key');
  expect(scene.next()).toBe('a');
  scene.issuer.issued('a', { fromMs: scene.now - 80 * DAY, untilMs: scene.now + 10 * DAY }, scene.now);
  expect(scene.next()).toBeUndefined();
  expect(scene.pass()).toBe(DAY);
  expect(scene.next()).toBe('a');
  scene.issuer.issued('a', { fromMs: scene.now - 80 * MINUTE, untilMs: scene.now + 10 * MINUTE }, scene.now);
  expect(scene.pass()).toBe(30 * MINUTE);
});

test('a clock that goes back makes neither a pause nor a limit longer', () => {
  const scene = new Scene();
  scene.issuer.want('paused', 'other');
  scene.next();
  scene.fail('paused');
  for (let index = 0; index < 10; index += 1) scene.issuer.want(`a${index}`, 'a');
  scene.issueAll();
  scene.now -= 10 * 365 * DAY;
  expect(scene.next()).toBe('paused');
  scene.issue('paused');
  expect(scene.next()).toBeUndefined();
  expect(scene.pass()).toBe(7 * DAY);
  expect(scene.issueAll()).toHaveLength(SHARE_LIMIT);
});

test('whatever happens, limits hold, nobody is left out for good, and little is remembered', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = seeded(seed);
    const scene = new Scene({ random, weeklyLimit: 10 });
    const issuedAt = new Map<string, number[]>();
    const under = new Set<string>();
    for (let step = 0; step < 2_000; step += 1) {
      const share = `client${Math.floor(random() * 6)}`;
      const host = `${share}-${Math.floor(random() * 8)}`;
      const dice = random();
      if (dice < 0.3) scene.issuer.want(host, share);
      else if (dice < 0.5) scene.issuer.drop(host);
      else if (dice < 0.6) scene.now += random() * 6 * HOUR;
      const ordered = scene.next();
      if (ordered !== undefined) under.add(ordered);
      const [oldest] = under;
      if (oldest === undefined || random() < 0.5) continue;
      under.delete(oldest);
      if (random() < 0.4) scene.fail(oldest, random() < 0.3);
      else {
        const isNew = scene.issuer.records.every((each) => each.host !== oldest || each.issuedAt === undefined);
        scene.issue(oldest);
        if (!isNew) continue;
        const [client = ''] = oldest.split('-');
        issuedAt.set(client, [...(issuedAt.get(client) ?? []), scene.now]);
      }
      const week = [...issuedAt.values()].map((times) => times.filter((time) => time > scene.now - 7 * DAY).length);
      expect(Math.max(0, ...week)).toBeLessThanOrEqual(SHARE_LIMIT);
      expect(week.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(10);
    }
    scene.now += 8 * DAY;
    for (const host of under) scene.fail(host);
    scene.issuer.want('newcomer', 'newcomer');
    for (let turn = 0; turn < 50 && !scene.issueAll().includes('newcomer'); turn += 1) scene.pass();
    expect(scene.issuer.records.some(({ host }) => host === 'newcomer')).toBe(true);
  }
});
