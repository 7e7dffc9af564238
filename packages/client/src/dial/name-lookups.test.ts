import { expect, test } from 'vitest';
import { lookupPlaces, NameLookups } from './name-lookups.ts';

/** A resolver whose every answer is given by hand. */
class HandResolver {
  readonly asked: string[] = [];
  readonly #answers = new Map<string, (address: string) => void>();

  readonly resolve = (host: string): Promise<{ address: string; family: number }[]> => {
    this.asked.push(host);
    return new Promise((resolve) => {
      this.#answers.set(host, (address) => resolve([{ address, family: 4 }]));
    });
  };

  answer(host: string): void {
    this.#answers.get(host)?.('192.0.2.1');
  }
}

test.each([
  [undefined, 2],
  ['1', 1],
  ['5', 3],
  ['16', 8],
  ['0', 1],
  ['many', 1],
  ['9999', 512],
])('with UV_THREADPOOL_SIZE=%s %d names can be looked up at a time', (size, places) => {
  expect(lookupPlaces(size)).toBe(places);
});

test('dead names of targets leave a place for the link', async () => {
  const system = new HandResolver();
  const lookups = new NameLookups(system.resolve, 2);
  for (let index = 0; index < 6; index += 1) void lookups.forTarget(`dead${index}`);
  const found = lookups.forLink('server');
  expect(system.asked).toEqual(['dead0', 'server']);
  system.answer('server');
  expect(await found).toHaveLength(1);
});

test('targets wait for their place in the order in which they came', async () => {
  const system = new HandResolver();
  const lookups = new NameLookups(system.resolve, 3);
  const [first, second, third] = ['a', 'b', 'c', 'd'].map((name) => lookups.forTarget(name));
  expect(system.asked).toEqual(['a', 'b']);
  system.answer('b');
  await second;
  await expect.poll(() => system.asked).toEqual(['a', 'b', 'c']);
  system.answer('c');
  await third;
  await expect.poll(() => system.asked).toEqual(['a', 'b', 'c', 'd']);
  system.answer('a');
  await first;
});

test('lookups of one name are one, whoever asks', async () => {
  const system = new HandResolver();
  const lookups = new NameLookups(system.resolve, 2);
  const dead = lookups.forTarget('dead');
  const all = [lookups.forTarget('box'), lookups.forLink('box'), lookups.forTarget('box'), lookups.forLink('box')];
  expect(system.asked).toEqual(['dead', 'box']);
  // The target has its place now, and finds that the link has asked in the meantime.
  system.answer('dead');
  await dead;
  system.answer('box');
  expect(await Promise.all(all)).toHaveLength(4);
  expect(system.asked).toEqual(['dead', 'box']);
});
