import { MessageReader } from './message-reader.ts';
import type { RecordedBody } from './recorded-exchange.ts';

/** A body without the framing of its chunks, as far as it was kept. */
export function unframed({ framed, isChunked }: RecordedBody): Uint8Array {
  if (!isChunked) return framed.bytes;
  const parts: Buffer[] = [];
  const reader = new MessageReader({
    onHead: () => ({ kind: 'chunked' }),
    onBody: (data) => parts.push(data),
    onEnd: () => {},
  });
  reader.push(Buffer.from('any head\r\n\r\n'));
  reader.push(framed.bytes);
  return Buffer.concat(parts);
}
