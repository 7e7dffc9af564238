import { expect, test } from 'vitest';
import { type HealthReport, ServiceHealth } from './service-health.ts';

const REFUSED = { reason: 'connection refused', code: 'ECONNREFUSED' };
const TIMEOUT = { reason: 'timed out', code: 'ETIMEDOUT' };

/** Drives it on a clock of its own and keeps what it tells. */
class Teller {
  readonly told: string[] = [];
  readonly health = new ServiceHealth();
  now = 0;

  do(atMs: number, action: (health: ServiceHealth, now: number) => void = () => {}): void {
    while (this.health.deadline <= atMs) {
      this.now = Math.max(this.now, this.health.deadline);
      this.#take();
    }
    this.now = atMs;
    action(this.health, atMs);
    this.#take();
  }

  turnAway(atMs: number, count = 1): void {
    this.do(atMs, (health, now) => health.turnedAway(count, now));
  }

  fail(atMs: number, failure = REFUSED): void {
    this.do(atMs, (health, now) => {
      health.failed(failure, now);
      health.turnedAway(1, now);
    });
  }

  succeed(atMs: number): void {
    this.do(atMs, (health, now) => health.succeeded(now));
  }

  #take(): void {
    const report = this.health.takeReport(this.now);
    if (report) this.told.push(`${this.now}: ${text(report)}`);
  }
}

function text({ state, code, refused, downMs }: HealthReport): string {
  return [state, code, refused, downMs].filter((part) => part !== '').join(' ');
}

test('tells the first failure, sums ever more seldom, and the recovery with all of it', () => {
  const teller = new Teller();
  teller.succeed(0);
  teller.fail(1000);
  for (let atMs = 1001; atMs < 100_000; atMs += 100) teller.turnAway(atMs);
  teller.succeed(100_000);
  expect(teller.told).toEqual([
    '1000: down ECONNREFUSED 1 0',
    '11000: still-down ECONNREFUSED 101 10000',
    '31000: still-down ECONNREFUSED 301 30000',
    '71000: still-down ECONNREFUSED 701 70000',
    '100000: up 991 99000',
  ]);
});

test('tells sums also when no further visitor comes, and nothing when nobody came', () => {
  const teller = new Teller();
  teller.fail(0);
  teller.turnAway(5);
  teller.do(60_000);
  teller.fail(60_000);
  teller.do(120_000);
  expect(teller.told).toEqual([
    '0: down ECONNREFUSED 1 0',
    '10000: still-down ECONNREFUSED 2 10000',
    '60000: still-down ECONNREFUSED 3 60000',
  ]);
});

test('tells another reason at once, each once in an outage', () => {
  const teller = new Teller();
  teller.fail(0);
  for (let atMs = 1; atMs < 5000; atMs += 1) teller.fail(atMs, atMs % 2 === 0 ? REFUSED : TIMEOUT);
  teller.succeed(5000);
  teller.fail(6000);
  expect(teller.told).toEqual([
    '0: down ECONNREFUSED 1 0',
    '1: down ETIMEDOUT 2 1',
    '5000: up 5000 5000',
    '6000: down ECONNREFUSED 1 0',
  ]);
});

test('a service that comes and goes all the time gets few lines, and every visitor is counted', () => {
  const teller = new Teller();
  let count = 0;
  for (let atMs = 0; atMs < 60_000; atMs += 100) {
    teller.fail(atMs);
    teller.succeed(atMs + 50);
    count += 1;
  }
  teller.do(200_000);
  expect(teller.told.length).toBeLessThan(16);
  const ups = teller.told.filter((line) => line.includes(': up'));
  expect(ups.slice(0, 4)).toEqual([
    '50: up 1 50',
    '150: up 1 50',
    '250: up 1 50',
    expect.stringMatching(/^100\d\d: up /),
  ]);
  expect(ups.reduce((sum, line) => sum + Number(line.split(' ')[2]), 0)).toBe(count);
});

test('visitors beyond what may wait are told of as well', () => {
  const teller = new Teller();
  teller.turnAway(0, 7);
  teller.succeed(1);
  expect(teller.told).toEqual(['0: down 7 0', '1: up 7 1']);
});

test('what was not told at the end is told then', () => {
  const { health } = new Teller();
  expect(health.takeLastReport(0)).toBeUndefined();
  health.failed(REFUSED, 0);
  health.takeReport(0);
  expect(health.takeLastReport(1)).toBeUndefined();
  health.turnedAway(3, 2);
  health.takeReport(2);
  expect(health.takeLastReport(3)).toMatchObject({ state: 'still-down', refused: 3, downMs: 3 });
});
