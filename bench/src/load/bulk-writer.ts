import type { Socket } from 'node:net';
import { BULK_CHUNK } from './commands.ts';

/** Writes as fast as the socket takes it, `bytes` in all (0: until it is gone). */
export function writeBulk(socket: Socket, bytes: number): void {
  let left = bytes === 0 ? Infinity : bytes;
  const write = (): void => {
    while (left > 0 && !socket.destroyed) {
      const chunk = left >= BULK_CHUNK.length ? BULK_CHUNK : BULK_CHUNK.subarray(0, left);
      left -= chunk.length;
      if (!socket.write(chunk)) break;
    }
  };
  socket.on('drain', write);
  write();
}
