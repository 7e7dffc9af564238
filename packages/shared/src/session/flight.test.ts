import { describe, expect, it } from 'vitest';
import { Flight } from './flight.ts';

const MIB = 1024 * 1024;

/** Carries `rate` bytes per ms for `forMs`, with an acknowledgement every `everyMs`. */
function carry(flight: Flight, from: number, forMs: number, rate: number, full: boolean, everyMs = 5): number {
  for (let now = from + everyMs; now <= from + forMs; now += everyMs) {
    if (full) flight.full();
    flight.acknowledged(rate * everyMs, now);
  }
  return from + forMs;
}

describe('what may be on its way', () => {
  it('is somewhat more than a fast link carries in a round trip', () => {
    const flight = new Flight(0, 1);
    carry(flight, 0, 500, 500_000, true);
    expect(flight.limitBytes).toBeGreaterThan(MIB);
    expect(flight.limitBytes).toBeLessThan(2 * MIB);
  });

  it('is little on a slow link, and soon', () => {
    const flight = new Flight(0, 1);
    carry(flight, 0, 50, 100, true);
    expect(flight.limitBytes).toBe(64 * 1024);
  });

  it('grows as long as the link carries all of it', () => {
    const flight = new Flight(0, 1);
    let now = carry(flight, 0, 100, 100, true);
    const first = flight.limitBytes;
    // Everything allowed is acknowledged within 25 ms.
    for (let round = 0; round < 4; round += 1) now = carry(flight, now, 25, flight.limitBytes / 25, true);
    expect(flight.limitBytes).toBeGreaterThan(3 * first);
  });

  it('is not less because there was little to send', () => {
    const flight = new Flight(0, 1);
    const now = carry(flight, 0, 500, 500_000, true);
    const before = flight.limitBytes;
    carry(flight, now, 10_000, 10, false);
    expect(flight.limitBytes).toBe(before);
  });

  it('follows a link that got slower', () => {
    const flight = new Flight(0, 1);
    const now = carry(flight, 0, 500, 500_000, true);
    carry(flight, now, 13_000, 1_000, true);
    expect(flight.limitBytes).toBeLessThan(MIB / 4);
  });

  it.each([60, 100, 150])('follows a path whose round trip rises from 20 to %s ms', (laterMs) => {
    const flight = new Flight(0, 20);
    const capacity = 12_500;
    let now = 0;
    let rate = 0;
    for (const roundTripMs of [20, laterMs]) {
      for (let heartbeat = 0; heartbeat < 15; heartbeat += 1) {
        for (let period = 0; period < 2_000 / 20; period += 1) {
          // Bytes in flight arrive within a round trip; anything beyond the path's capacity waits in a queue.
          rate = Math.min(capacity, flight.limitBytes / (roundTripMs + 10));
          now = carry(flight, now, 20, rate, true);
        }
        flight.roundTrip(Math.max(roundTripMs, flight.limitBytes / capacity - 10));
      }
    }
    expect(rate).toBeGreaterThan(0.95 * capacity);
    // But not with an endless queue.
    expect(flight.limitBytes / capacity).toBeLessThan(2.5 * laterMs + 20);
  });
});
