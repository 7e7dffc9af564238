import type { Duplex } from 'node:stream';

type Done = (error?: Error | null) => void;

/**
 * Keeps a socket readable after a write that failed. A stream destroys itself then, and what the other end sent before it left
 * is lost, often the very reason why it left: an answer to an upload that it does not want. With this, writes seem to succeed
 * from then on while they go nowhere, `onFailed` is told once, and the owner reads on to the end and destroys the socket.
 *
 * `_write` and `_writev` are where Node's streams leave room for this: any later and the descriptor is closed.
 */
export function surviveFailedWrites(socket: Duplex, onFailed: (error: NodeJS.ErrnoException) => void): void {
  const write = socket._write.bind(socket);
  // Not every Duplex has it, though its type does.
  const writev = (socket._writev as Duplex['_writev'] | null)?.bind(socket);
  let hasFailed = false;
  /** A stream writes one thing at a time, so there is only one. */
  let done: Done = () => {};
  const onWritten: Done = (error) => {
    if (error && !hasFailed) {
      hasFailed = true;
      onFailed(error);
    }
    done();
  };
  const pass = (callback: Done, goOn: () => void): void => {
    // Node's own `_write` may have called `_writev`.
    if (callback !== onWritten) done = callback;
    if (hasFailed) done();
    else goOn();
  };
  socket._write = (chunk, encoding, callback) => pass(callback, () => write(chunk, encoding, onWritten));
  if (writev) socket._writev = (chunks, callback) => pass(callback, () => writev(chunks, onWritten));
}
