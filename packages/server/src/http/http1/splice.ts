import type { Duplex } from 'node:stream';

type End = Duplex & { resetAndDestroy?(): unknown };

/** Joins two connections for good, byte for byte: the end of one is the end of the other, and so is its reset. */
export function splice(a: End, b: End, reset: (end: End) => void): void {
  join(a, b, reset);
  join(b, a, reset);
}

function join(from: End, to: End, reset: (end: End) => void): void {
  from.on('error', () => {});
  from.once('close', () => {
    // Closed before its end: what it said may not be whole.
    if (!from.readableEnded || !from.writableFinished) reset(to);
  });
  from.pipe(to);
}
