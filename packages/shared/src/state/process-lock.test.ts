import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { takeKernelLock } from './kernel-lock.ts';
import { takeProcessLock } from './process-lock.ts';

/** How often a holder without a kernel lock touches its file here, in ms. */
const BEAT_MS = 20;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

function path(): string {
  return join(directory, 'server', 'lock');
}

function withoutFlock(): void {
  vi.stubEnv('PATH', '');
}

/** Leaves the lock of a process in a PID namespace that cannot be inspected. */
async function leaveUnseen(hasKernelLock: boolean): Promise<void> {
  await mkdir(join(directory, 'server'));
  await writeFile(path(), JSON.stringify({ pid: 1, pidNamespace: 'pid:[1]', hasKernelLock }));
}

test('of the kernel: one holder at a time, and free again after release', async (context) => {
  const first = await takeKernelLock(directory);
  if (first.kind !== 'taken') return context.skip('flock(1) is missing');
  expect(await takeKernelLock(directory)).toEqual({ kind: 'held' });
  first.release();
  first.release();
  const second = await takeKernelLock(directory);
  expect(second.kind).toBe('taken');
  if (second.kind === 'taken') second.release();
  return undefined;
});

test('without flock(1) there is none of the kernel, and still one holder at a time', async () => {
  withoutFlock();
  expect(await takeKernelLock(directory)).toEqual({ kind: 'unavailable' });
  const lock = await takeProcessLock(path(), BEAT_MS);
  await expect(takeProcessLock(path(), BEAT_MS)).rejects.toMatchObject({ code: 'state-locked' });
  const { mtimeMs } = await stat(path());
  await vi.waitFor(async () => expect((await stat(path())).mtimeMs).not.toBe(mtimeMs), { timeout: 10_000 });
  await lock.release();
});

test.each(['darwin', 'win32'] as const)(
  'on %s, which does not tell a process from a later one with its pid, it is held as long as it is touched',
  async (platform) => {
    withoutFlock();
    const lock = await takeProcessLock(path(), BEAT_MS, platform);
    await expect(takeProcessLock(path(), 1_000, platform)).rejects.toMatchObject({
      code: 'state-locked',
      detail: `${join(directory, 'server')} (process ${process.pid})`,
    });
    await lock.release();
    await writeFile(path(), JSON.stringify({ pid: process.pid, hasKernelLock: false }));
    await (await takeProcessLock(path(), BEAT_MS, platform)).release();
  },
);

test('on Windows nobody looks for a flock.exe', async () => {
  expect(await takeKernelLock(directory, 'win32')).toEqual({ kind: 'unavailable' });
});

test.runIf(process.platform === 'linux')(
  'of a process out of sight that touches it is left alone, and taken over once it does not',
  async () => {
    await leaveUnseen(false);
    let lastTouch = Promise.resolve();
    const timer = setInterval(() => {
      lastTouch = utimes(path(), new Date(), new Date());
    }, BEAT_MS / 4);
    await expect(takeProcessLock(path(), 1_000)).rejects.toMatchObject({
      code: 'state-locked',
      detail: `${join(directory, 'server')} (process 1 in another container or on another machine)`,
    });
    clearInterval(timer);
    await lastTouch;
    await (await takeProcessLock(path(), BEAT_MS)).release();
  },
);

test.runIf(process.platform === 'linux')(
  'of the kernel that a process out of sight had is known to be free only by who can ask for it',
  async (context) => {
    await leaveUnseen(true);
    withoutFlock();
    await expect(takeProcessLock(path(), BEAT_MS)).rejects.toMatchObject({
      code: 'state-locked',
      hint: { id: 'lock-holder-out-of-sight', path: path() },
    });
    vi.unstubAllEnvs();
    const kernelLock = await takeKernelLock(directory);
    if (kernelLock.kind !== 'taken') return context.skip('flock(1) is missing');
    kernelLock.release();
    await (await takeProcessLock(path())).release();
    return undefined;
  },
);
