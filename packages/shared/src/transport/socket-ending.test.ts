import type { Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { onceSent } from './send-queue.ts';
import { cameResetAfterEnd, descriptorOf, readBeforeReset } from './socket-ending.ts';

function socketWith(fd: number): Socket {
  return { _handle: { fd }, bytesWritten: 10_000_000, remoteAddress: '192.0.2.1' } as unknown as Socket;
}

const brokenPipe = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });

test.each([
  ['linux', true],
  ['darwin', false],
  ['win32', false],
] as const)('on %s a broken pipe says that a reset came after an end: %j', (platform, expected) => {
  expect(cameResetAfterEnd(socketWith(5), brokenPipe, platform)).toBe(expected);
});

test('a socket on Windows has no descriptor, and is not read behind the back of libuv', () => {
  const socket = socketWith(-1);
  expect([descriptorOf(socket), readBeforeReset(socket)]).toEqual([undefined, undefined]);
  expect(cameResetAfterEnd(socket, brokenPipe, 'linux')).toBe(false);
});

test.each(['darwin', 'win32'] as const)('on %s nothing tells of a send queue, so nobody waits', (platform) => {
  const done = vi.fn<() => void>();
  onceSent(socketWith(5), done, platform);
  expect(done).toHaveBeenCalledOnce();
});
