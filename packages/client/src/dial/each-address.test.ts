import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { tryEachAddress } from './each-address.ts';

test('every address is tried, whatever the others do', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Nothing listens at that one, which macOS does not even have.
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const { signal } = new AbortController();
  const findings = await tryEachAddress(addresses, port, { signal, timeoutMs: 5_000 });
  server.close();
  expect(findings.map(({ address, error }) => [address, error?.code])).toEqual([
    ['127.0.0.1', undefined],
    ['127.0.0.2', expect.stringMatching(/^tcp-(?:refused|unreachable|timeout|failed)$/)],
  ]);
});

test('whoever gives up hears their own reason', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  const trying = tryEachAddress([{ address: '127.0.0.1', family: 4 }], 1, { signal: abort.signal, timeoutMs: 5_000 });
  abort.abort(reason);
  await expect(trying).rejects.toBe(reason);
});
