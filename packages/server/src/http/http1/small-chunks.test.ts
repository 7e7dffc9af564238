import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { gatherSmallChunks } from './small-chunks.ts';

function message(): { readonly message: IncomingMessage; readonly pieces: string[]; readonly ended: Promise<unknown> } {
  const incoming = new IncomingMessage(new Socket());
  gatherSmallChunks(incoming);
  const pieces: string[] = [];
  const ended = new Promise((resolve) => incoming.once('end', resolve));
  incoming.on('data', (piece: Buffer) => pieces.push(piece.toString()));
  return { message: incoming, pieces, ended };
}

test('the first small piece of a turn goes on at once, further ones together, in order with larger ones', async () => {
  const { message: incoming, pieces, ended } = message();
  const large = 'x'.repeat(1024);
  for (const piece of ['a', 'b', 'c', large, 'd']) incoming.push(Buffer.from(piece));
  await new Promise((resolve) => setImmediate(resolve));
  expect(pieces).toEqual(['a', 'bc', large, 'd']);
  incoming.push(Buffer.from('e'));
  incoming.push(Buffer.from('f'));
  incoming.push(null);
  await ended;
  expect(pieces).toEqual(['a', 'bc', large, 'd', 'e', 'f']);
});

test('nobody reads on behind a thousand pieces, and what nobody takes is a few buffers', async () => {
  const incoming = new IncomingMessage(new Socket());
  gatherSmallChunks(incoming);
  const wantsMore = Array.from({ length: 20_000 }, () => incoming.push(Buffer.from('a')));
  expect(wantsMore.indexOf(false)).toBe(1023);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(incoming.readableLength).toBe(20_000);
  const pieces: unknown[] = [];
  incoming.on('data', (piece) => pieces.push(piece));
  await new Promise((resolve) => setImmediate(resolve));
  expect(pieces).toHaveLength(3);
});
