import type { IncomingMessage } from 'node:http';

/** Pieces that are smaller than this are put together, in bytes. */
const SMALL_BYTES = 1024;

/** Pieces of at most this size are made of them, in bytes. */
const GATHERED_BYTES = 16 * 1024;

/** So many in one piece of work are enough: what comes behind waits for the next turn of the event loop. */
const PIECES_AT_ONCE = 1024;

/**
 * Puts small pieces of a body together that arrive at once. Node makes a buffer of several hundred bytes for each chunk of one
 * byte, and counts one byte against the limit of what it reads ahead; and whoever passes them on has work for each. To be
 * called as soon as there is a head.
 */
export function gatherSmallChunks(message: IncomingMessage): void {
  const push = message.push.bind(message);
  let gathered: Buffer | undefined;
  let length = 0;
  /** In this turn of the event loop. */
  let pieces = 0;
  const flush = (): void => {
    if (length === 0) return;
    const bytes = gathered?.subarray(0, length);
    gathered = undefined;
    length = 0;
    push(bytes);
  };
  const endTurn = (): void => {
    pieces = 0;
    if (!message.destroyed) flush();
  };
  // Node's parser gives a message its body with this, and reads on only while it returns true or the message asks for more.
  message.push = (chunk: Buffer | null): boolean => {
    if (chunk === null || chunk.length >= SMALL_BYTES) {
      flush();
      return push(chunk);
    }
    pieces += 1;
    if (pieces === 1) {
      // Mostly it stays the only one.
      setImmediate(endTurn);
      return push(chunk);
    }
    if (length + chunk.length > GATHERED_BYTES) flush();
    if (gathered === undefined || length + chunk.length > gathered.length) {
      const larger = Buffer.allocUnsafe(gathered === undefined ? SMALL_BYTES : GATHERED_BYTES);
      gathered?.copy(larger, 0, 0, length);
      gathered = larger;
    }
    length += chunk.copy(gathered, length);
    return pieces < PIECES_AT_ONCE && message.readableLength + length < message.readableHighWaterMark;
  };
}
