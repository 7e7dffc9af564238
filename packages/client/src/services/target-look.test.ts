import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { hasListener, hasPort, lookAtTarget, portUse } from './target-look.ts';

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1234: 0100007F:0035 00000000:1F90 07 00000000:00000000 00:00000000 00000000     0        0 5000 2 0000000000000000 0
`;
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5000 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 5001 1 0000000000000000 20 4 30 10 -1
`;

test('the local port counts, and only it', () => {
  expect([53, 8080, 5000].map((port) => hasPort(UDP, port))).toEqual([true, false, false]);
});

test('a socket that listens counts, and no connection', () => {
  expect([8080, 3000, 8081].map((port) => hasListener(TCP, port))).toEqual([true, false, false]);
});

test('a pipe of Windows is not looked at, which would open it', async () => {
  const lookup = (): never => expect.unreachable();
  expect(await lookAtTarget({ path: String.raw`\\.\pipe\nobody` }, lookup, 'win32')).toBeUndefined();
});

test.each(['darwin', 'win32'] as const)('%s does not say what has a port', async (platform) => {
  expect(await portUse(LOOPBACK, 1, platform)).toBe('unknown');
});

const LOOPBACK = [{ address: '127.0.0.1', family: 4 }] as const;

test.runIf(process.platform === 'linux')('the kernel knows what has a port of this machine', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(socket, 'listening')]);
  const { port: tcpPort } = server.address() as { readonly port: number };
  const { port: udpPort } = socket.address();
  expect(await portUse(LOOPBACK, tcpPort)).toBe('listening');
  expect(await portUse(LOOPBACK, udpPort)).toBe('udp-only');
  expect(await portUse([{ address: '192.0.2.1', family: 4 }], tcpPort)).toBe('unknown');
  server.close();
  await once(server, 'close');
  expect(await portUse(LOOPBACK, tcpPort)).toBe('unused');
  socket.close();
});
