import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { startReading, stopReading } from './reading.ts';

const MiB = 1024 * 1024;

const ends: (() => unknown)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Both ends of a connection. */
async function connection(): Promise<[here: Socket, there: Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const there = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [here] = (await once(server, 'connection')) as [Socket];
  ends.push(
    () => here.destroy(),
    () => there.destroy(),
    () => server.close(),
  );
  return [here, there];
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

it('a socket that does not read has nothing read ahead, and goes on where it stopped', async () => {
  const [here, there] = await connection();
  const counted = { bytes: 0, hasEnded: false };
  here.on('data', (chunk: Buffer) => {
    counted.bytes += chunk.length;
    stopReading(here);
  });
  here.on('end', () => (counted.hasEnded = true));
  there.end(Buffer.alloc(4 * MiB));
  while (!counted.hasEnded) {
    const { bytes } = counted;
    startReading(here);
    while (counted.bytes === bytes && !counted.hasEnded) await turns(1);
    const after = counted.bytes;
    await turns(5);
    expect(counted.bytes).toBe(after);
    expect(here.readableLength).toBe(0);
  }
  expect(counted.bytes).toBe(4 * MiB);
});

it('a socket that is told to go on at once does', async () => {
  const [here, there] = await connection();
  let bytes = 0;
  here.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    stopReading(here);
    startReading(here);
  });
  there.end(Buffer.alloc(4 * MiB));
  await once(here, 'end');
  expect(bytes).toBe(4 * MiB);
});

it('a socket that is gone meanwhile is no fault', async () => {
  const [here, there] = await connection();
  there.write('x');
  await once(here, 'data');
  stopReading(here);
  await turns(1);
  here.destroy();
  startReading(here);
  await once(here, 'close');
  expect(here.destroyed).toBe(true);
});
