import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { hasUdpPort, isUdpPort } from './udp-listeners.ts';

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1234: 0100007F:0035 00000000:1F90 07 00000000:00000000 00:00000000 00000000     0        0 5000 2 0000000000000000 0
`;

test('the local port counts, and only it', () => {
  expect(hasUdpPort(TABLE, 53)).toBe(true);
  expect(hasUdpPort(TABLE, 8080)).toBe(false);
  expect(hasUdpPort(TABLE, 5000)).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'a socket of this machine is found, and only for addresses of it',
  async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    expect(await isUdpPort([{ address: '127.0.0.1', family: 4 }], port)).toBe(true);
    expect(await isUdpPort([{ address: '192.0.2.1', family: 4 }], port)).toBe(false);
    socket.close();
    await once(socket, 'close');
    expect(await isUdpPort([{ address: '127.0.0.1', family: 4 }], port)).toBe(false);
  },
);
