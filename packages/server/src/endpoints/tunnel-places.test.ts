import { expect, test } from 'vitest';
import { type Occupant, TunnelPlaces } from './tunnel-places.ts';

/** Somebody in a place, who answers when the test says so. */
class Guest implements Occupant {
  holder: unknown = 'first';
  hasGivenUp = false;
  /** Answers the process that asked; undefined before it did. */
  answer: ((isThere: boolean) => void) | undefined;

  answers(): Promise<boolean> {
    return new Promise((resolve) => (this.answer = resolve));
  }

  giveUp(): void {
    this.hasGivenUp = true;
  }
}

test('whoever took over from a process while that one was asked does not pay for its silence', async () => {
  const places = new TunnelPlaces<Guest>(() => 1);
  const guest = new Guest();
  await places.fill('key', async () => guest);
  const second = places.fill('key', async () => new Guest());
  await expect.poll(() => guest.answer).toBeDefined();
  guest.holder = 'another process';
  guest.answer?.(false);
  await expect(second).rejects.toMatchObject({ code: 'tunnel-limit' });
  expect(guest.hasGivenUp).toBe(false);
});

test('a place is free again once its occupant left, and not before', async () => {
  const places = new TunnelPlaces<Guest>(() => 1);
  const guest = new Guest();
  await places.fill('key', async () => guest);
  const second = places.fill('key', async () => new Guest());
  await expect.poll(() => guest.answer).toBeDefined();
  guest.answer?.(true);
  await expect(second).rejects.toMatchObject({ code: 'tunnel-limit' });
  await places.fill('another key', async () => new Guest());
  places.leave('key', guest);
  await places.fill('key', async () => new Guest());
});
