import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PinDirectory, pinFileName } from './pins.ts';

const address = 'wss://example.org/a/../b';
const key = new Uint8Array(32).fill(7);
const otherKey = new Uint8Array(32).fill(8);

let directory: string;
let pins: PinDirectory;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
  pins = new PinDirectory(join(directory, 'pins'));
});
afterEach(() => rm(directory, { recursive: true }));

test('a pin is found again, and only for its address', async () => {
  expect(await pins.read(address)).toBeUndefined();
  await pins.write(address, key);
  expect(await pins.read(address)).toEqual(key);
  expect(await pins.read('wss://example.org/b')).toBeUndefined();
  expect(await readFile(pins.describe(address), 'utf8')).toContain(
    'address wss://example.org/a/../b\nkey BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\n',
  );
});

test('a pin is never replaced', async () => {
  await pins.write(address, key);
  await pins.write(address, key);
  await expect(pins.write(address, otherKey)).rejects.toMatchObject({ code: 'server-key-changed' });
  expect(await pins.read(address)).toEqual(key);
});

test('names of files are safe, short and different', () => {
  expect(dirname(pins.describe(address))).toBe(join(directory, 'pins'));
  expect(pinFileName('ws://[::1]:7835')).toMatch(/^ws_1_7835_[\da-f]{16}$/);
  expect(pinFileName('ws://a/b')).not.toBe(pinFileName('ws://a_b'));
  expect(pinFileName(`ws://${'a'.repeat(250)}`).length).toBeLessThan(100);
});

test.each([
  ['', 'line 1: the address is missing'],
  ['address ws://elsewhere\n', `line 1: the address is not ${address}`],
  [`address ${address}\n`, 'line 2: the key is missing'],
  [`address ${address}\nkey abc\n`, 'line 2: the key has 3 characters instead of 43'],
  [`address ${address}\nkeys\n`, 'line 2: neither an address nor a key'],
])('a damaged pin %j is told with file and line', async (text, message) => {
  const path = pins.describe(address);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await expect(pins.read(address)).rejects.toMatchObject({ code: 'state-damaged', detail: `${path}, ${message}` });
});
