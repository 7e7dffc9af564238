import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { ClientAddresses } from './client-address.ts';

const addresses = new ClientAddresses(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);

function addressOf(peer: string, forwardedFor?: string): string {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return addresses.of({ socket: { remoteAddress: peer, remotePort: 4 }, headers } as IncomingMessage);
}

test.each([
  ['127.0.0.1', '203.0.113.5', '203.0.113.5'],
  ['::ffff:127.0.0.1', '203.0.113.5', '203.0.113.5'],
  ['fd12::1', '2001:db8::1', '[2001:db8::1]'],
  // Whoever it serves may say what he likes: only what the proxy itself put behind counts.
  ['127.0.0.1', '192.0.2.1, 203.0.113.5', '203.0.113.5'],
  ['127.0.0.1', 'nonsense,203.0.113.5, 10.1.1.1', '203.0.113.5'],
  ['127.0.0.1', '203.0.113.5:1234', '203.0.113.5'],
  ['127.0.0.1', '[2001:db8::1]:1234', '[2001:db8::1]'],
  ['127.0.0.1', '10.1.1.1, 10.2.2.2', '10.1.1.1'],
  ['127.0.0.1', 'unknown, 10.2.2.2', '10.2.2.2'],
])('behind %s, which says %s, is %s', (peer, forwardedFor, address) => {
  expect(addressOf(peer, forwardedFor)).toBe(address);
});

test.each([
  ['203.0.113.9', '203.0.113.5', '203.0.113.9:4'],
  ['127.0.0.2', '203.0.113.5', '127.0.0.2:4'],
  ['2001:db8::9', undefined, '[2001:db8::9]:4'],
  ['127.0.0.1', undefined, '127.0.0.1:4'],
  ['127.0.0.1', '', '127.0.0.1:4'],
  ['127.0.0.1', 'unknown', '127.0.0.1:4'],
  ['127.0.0.1', '203.0.113.5, unknown', '127.0.0.1:4'],
])('%s, which says %s, is %s', (peer, forwardedFor, address) => {
  expect(addressOf(peer, forwardedFor)).toBe(address);
});

test('what is no network is refused', () => {
  expect(() => new ClientAddresses(['10.0.0.0/33'])).toThrow(
    'wrong usage: trusted proxy 10.0.0.0/33: that is no network',
  );
});
