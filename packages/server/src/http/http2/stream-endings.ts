// How streams of HTTP/2 end, where Node would say that they ended well.
import type { Http2Stream } from 'node:http2';

/**
 * Tells whether the other side said the end of what it sends. Node also ends the readable side of a stream that is reset with
 * NO_ERROR in the middle of a body, and nobody may take that for whole. It closes the stream first, other than for an end that
 * was said, and by that they can be told apart. `isEnded`: the end came already.
 */
export function watchEnd(stream: Http2Stream, isEnded: boolean): () => boolean {
  let isWhole = isEnded;
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !stream.closed && !stream.destroyed) isWhole = true;
    return push(chunk, encoding);
  };
  return () => isWhole;
}

/** Resets a stream. Node's `close` alone ends its writable side first, and the end would go out before the reset. */
export function resetStream(stream: Http2Stream, code: number): void {
  if (stream.destroyed || stream.closed) return;
  stream._final = (done) => done();
  stream.close(code);
}
