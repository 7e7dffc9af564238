import { expect, test } from 'vitest';
import { ClientAddresses, sourceOf } from './client-address.ts';

const addresses = new ClientAddresses(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);

function addressOf(peer: string, forwardedFor?: string): string {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return addresses.of({ headers }, { address: peer, port: 4, destination: '' }).text;
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
    'wrong usage: trusted proxy 10.0.0.0/33: not a valid network',
  );
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::7', '2001:db8:1:2::/64'],
  ['2001:db8::7', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('%s counts as %s', (address, source) => {
  expect(sourceOf(address)).toBe(source);
});

test('behind a proxy it is the forwarded address that counts', () => {
  const peer = { address: '127.0.0.1', port: 4, destination: '' };
  const { source } = addresses.of({ headers: { 'x-forwarded-for': '2001:db8::1' } }, peer);
  expect(source).toBe('2001:db8:0:0::/64');
});
