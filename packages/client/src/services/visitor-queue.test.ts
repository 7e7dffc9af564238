import { describe, expect, test } from 'vitest';
import { VisitorQueue } from './visitor-queue.ts';

/** A queue of numbered visitors before a service that is up or down, on a clock of its own. Attempts end at once. */
class Simulation {
  now = 0;
  isUp = false;
  readonly served: [atMs: number, visitor: number][] = [];
  readonly refused: [atMs: number, visitor: number][] = [];
  readonly attemptsAt: number[] = [];
  readonly queue: VisitorQueue<number>;

  constructor(waitMs = 0) {
    this.queue = new VisitorQueue(waitMs);
  }

  arrive(...visitors: number[]): void {
    for (const visitor of visitors) this.queue.arrive(visitor, this.now);
    this.#step();
  }

  /** Moves the clock from deadline to deadline. */
  advanceTo(time: number): void {
    while (this.queue.deadline <= time) {
      this.now = Math.max(this.now, this.queue.deadline);
      this.#step();
    }
    this.now = time;
  }

  #step(): void {
    for (;;) {
      const { attempts, refused } = this.queue.step(this.now);
      for (const visitor of refused) this.refused.push([this.now, visitor]);
      if (attempts === 0) return;
      for (let count = 0; count < attempts; count += 1) {
        this.attemptsAt.push(this.now);
        if (!this.isUp) this.queue.failed(this.now);
        else {
          const visitor = this.queue.succeeded();
          if (visitor !== undefined) this.served.push([this.now, visitor]);
        }
      }
    }
  }
}

function visitors(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The most that lie within any second. */
function mostInOneSecond(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
}

describe('a service that is down', () => {
  test('costs every visitor nothing but its own connection, at once', () => {
    const simulation = new Simulation();
    simulation.arrive(...visitors(1000));
    expect(simulation.refused).toEqual(visitors(1000).map((visitor) => [0, visitor]));
    expect(simulation.queue.size).toBe(0);
    expect(simulation.queue.deadline).toBe(Infinity);
  });

  test('is probed by the first visitor behind each pause, and the pauses grow', () => {
    const simulation = new Simulation();
    for (let at = 0; at < 2000; at += 1) {
      simulation.advanceTo(at);
      simulation.arrive(at);
    }
    expect(simulation.attemptsAt).toEqual([0, 50, 150, 350, 600, 850, 1100, 1350, 1600, 1850]);
    expect(simulation.refused).toEqual(visitors(2000).map((visitor) => [visitor, visitor]));
  });

  test.each([0, 5000])('is never asked more than 10 times within a second, holding for %d ms', (waitMs) => {
    const simulation = new Simulation(waitMs);
    for (let at = 0; at < 5000; at += 7) {
      simulation.advanceTo(at);
      simulation.arrive(2 * at, 2 * at + 1);
    }
    expect(mostInOneSecond(simulation.attemptsAt)).toBeLessThanOrEqual(10);
  });

  test('serves the first visitor that comes when it is back, behind the pause', () => {
    const simulation = new Simulation();
    simulation.arrive(0);
    simulation.isUp = true;
    simulation.advanceTo(49);
    simulation.arrive(1);
    simulation.advanceTo(50);
    simulation.arrive(2, 3, 4);
    expect(simulation.refused.map(([, visitor]) => visitor)).toEqual([0, 1]);
    expect(simulation.served).toEqual([
      [50, 2],
      [50, 3],
      [50, 4],
    ]);
  });
});

describe('visitors that are held', () => {
  test('are all served once the service is back, in their order, without another visitor', () => {
    const simulation = new Simulation(5000);
    simulation.arrive(...visitors(50));
    simulation.advanceTo(3000);
    expect(simulation.refused).toEqual([]);
    simulation.isUp = true;
    simulation.advanceTo(5000);
    expect(simulation.served).toEqual(visitors(50).map((visitor) => [3100, visitor]));
  });

  test('wait no longer than they should', () => {
    const simulation = new Simulation(5000);
    simulation.arrive(1, 2);
    simulation.advanceTo(1000);
    simulation.arrive(3);
    simulation.queue.leave(2);
    simulation.advanceTo(20_000);
    expect(simulation.refused).toEqual([
      [5000, 1],
      [6000, 3],
    ]);
    expect(simulation.queue.deadline).toBe(Infinity);
  });

  test('are not more than a thousand or so', () => {
    const simulation = new Simulation(5000);
    simulation.arrive(...visitors(1100));
    expect(simulation.refused.map(([, visitor]) => visitor)).toEqual(visitors(1100).slice(1024));
    expect(simulation.queue.size).toBe(1024);
  });
});

describe('attempts that take their time', () => {
  test('are few until one succeeds, then ever more at a time', () => {
    const queue = new VisitorQueue<number>(0);
    for (const visitor of visitors(100)) queue.arrive(visitor, 0);
    expect(queue.step(0).attempts).toBe(5);
    expect(queue.succeeded()).toBe(0);
    expect(queue.step(1).attempts).toBe(2);
    expect(queue.succeeded()).toBe(1);
    expect(queue.succeeded()).toBe(2);
    expect(queue.step(2)).toEqual({ attempts: 4, refused: [] });
    expect(queue.deadline).toBe(Infinity);
  });

  test('keep a visitor each when the others fail', () => {
    const queue = new VisitorQueue<number>(0);
    for (const visitor of visitors(10)) queue.arrive(visitor, 0);
    queue.step(0);
    queue.failed(1);
    expect(queue.step(1)).toEqual({ attempts: 0, refused: [4, 5, 6, 7, 8, 9] });
    queue.failed(2);
    expect(queue.step(2)).toEqual({ attempts: 0, refused: [3] });
    expect(queue.succeeded()).toBe(0);
    expect(queue.step(3)).toEqual({ attempts: 0, refused: [] });
  });

  test('are one at a time while the service is down; who comes meanwhile waits a moment for its outcome', () => {
    const queue = new VisitorQueue<number>(0);
    queue.arrive(0, 0);
    queue.step(0);
    queue.failed(0);
    expect(queue.step(0).refused).toEqual([0]);
    queue.arrive(1, 100);
    expect(queue.step(100)).toEqual({ attempts: 1, refused: [] });
    queue.arrive(2, 110);
    expect(queue.step(110)).toEqual({ attempts: 0, refused: [] });
    expect(queue.deadline).toBe(160);
    expect(queue.step(160).refused).toEqual([2]);
    // The one that it was begun for waits on.
    expect(queue.deadline).toBe(Infinity);
    queue.failed(10_100);
    expect(queue.step(10_100).refused).toEqual([1]);
  });

  test('give their connection to whoever is first, also where the visitor that caused them left', () => {
    const queue = new VisitorQueue<number>(0);
    queue.arrive(0, 0);
    queue.step(0);
    queue.leave(0);
    queue.arrive(1, 1);
    expect(queue.step(1).attempts).toBe(0);
    expect(queue.succeeded()).toBe(1);
    queue.arrive(2, 2);
    queue.step(2);
    queue.leave(2);
    expect(queue.succeeded()).toBeUndefined();
  });
});
