import { describe, expect, it } from 'vitest';
import { proxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const V6 = { address: '2001:db8::7', port: 56_324, destination: '::1', destinationPort: 443 };

describe('version 1', () => {
  it.each([
    // The example of section 2.1.
    [
      { address: '192.168.0.1', port: 56_324, destination: '192.168.0.11', destinationPort: 443 },
      'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n',
    ],
    // The longest line for IPv4 there.
    [
      { address: '255.255.255.255', port: 65_535, destination: '255.255.255.255', destinationPort: 65_535 },
      'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    ],
    // And for IPv6.
    [
      {
        address: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
        port: 65_535,
        destination: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
        destinationPort: 65_535,
      },
      'PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
    ],
    [V6, 'PROXY TCP6 2001:db8::7 ::1 56324 443\r\n'],
    [{ ...V6, address: '::1.2.3.4' }, 'PROXY TCP6 ::102:304 ::1 56324 443\r\n'],
    [{ ...V6, address: 'fe80::1%eth0' }, 'PROXY TCP6 fe80::1 ::1 56324 443\r\n'],
    [{ ...V6, address: '::ffff:10.0.0.1', destination: '10.0.0.2' }, 'PROXY TCP4 10.0.0.1 10.0.0.2 56324 443\r\n'],
    [{ ...V6, address: '' }, 'PROXY UNKNOWN\r\n'],
    [{ ...V6, destination: '' }, 'PROXY UNKNOWN\r\n'],
    [{ ...V6, address: '', destination: '' }, 'PROXY UNKNOWN\r\n'],
    [{ ...V6, address: '10.0.0.1' }, 'PROXY UNKNOWN\r\n'],
    [{ ...V6, address: '10.0.0.1 1\r\nGET / HTTP/1.0' }, 'PROXY UNKNOWN\r\n'],
  ])('%j', (visitor, header) => {
    expect(proxyHeader('v1', visitor).toString('latin1')).toBe(header);
    expect(header.length).toBeLessThanOrEqual(107);
  });
});

describe('version 2', () => {
  it.each([
    [
      { address: '192.168.0.1', port: 56_324, destination: '192.168.0.11', destinationPort: 443 },
      '21 11 000c c0a80001 c0a8000b dc04 01bb',
    ],
    [V6, `21 21 0024 20010db8${'00'.repeat(10)}0007 ${'00'.repeat(15)}01 dc04 01bb`],
    [
      { ...V6, address: '1:2:3:4:5:6:7:8', destination: 'fe80::' },
      `21 21 0024 00010002000300040005000600070008 fe80${'00'.repeat(14)} dc04 01bb`,
    ],
    [{ ...V6, address: '::', destination: '::1.2.3.4' }, `21 21 0024 ${'00'.repeat(28)}01020304 dc04 01bb`],
    [{ ...V6, destination: '' }, '21 00 0000'],
    [{ ...V6, address: '' }, '21 00 0000'],
    [{ ...V6, address: '10.0.0.1' }, '21 00 0000'],
  ])('%j', (visitor, header) => {
    expect(proxyHeader('v2', visitor).toString('hex')).toBe(SIGNATURE + header.replaceAll(' ', ''));
  });
});
