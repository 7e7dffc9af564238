import type { PipeSocket } from './stream-pipe.ts';

/** What Node does not say of a socket's handle: whether it reads. */
interface Handle {
  reading: boolean;
  readStart(): void;
  readStop(): void;
}

const stopped = new WeakSet<PipeSocket>();

/**
 * Pauses a socket whose bytes nobody has room for. `pause` alone lets Node read one chunk more, 64 KiB, which no budget
 * counts. A socket that does not read does not notice either that its other end is gone.
 */
export function stopReading(socket: PipeSocket): void {
  socket.pause();
  // In the course of a `data` event: Node starts to read ahead in the next tick, behind which this comes.
  queueMicrotask(() => {
    const handle = handleOf(socket);
    if (!handle?.reading || !socket.isPaused()) return;
    handle.reading = false;
    handle.readStop();
    stopped.add(socket);
  });
}

export function startReading(socket: PipeSocket): void {
  socket.resume();
  if (!stopped.delete(socket)) return;
  // The stream believes that a read is under way, and does not begin one.
  const handle = handleOf(socket);
  if (!handle || handle.reading) return;
  handle.reading = true;
  handle.readStart();
}

/** Undefined for what is no TCP socket, and where Node changed what it keeps to itself. */
function handleOf(socket: PipeSocket): Handle | undefined {
  const { _handle: handle } = socket as { readonly _handle?: Partial<Handle> | null };
  const isKnown = handle && typeof handle.readStart === 'function' && typeof handle.readStop === 'function';
  return isKnown && typeof handle.reading === 'boolean' ? (handle as Handle) : undefined;
}
