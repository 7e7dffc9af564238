import { describe, expect, test } from 'vitest';
import { readProxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const IPV4 = 'cb007107 c0000201 c738 01bb'; // 203.0.113.7:51000 to 192.0.2.1:443
const IPV6 = '20010db8000000000000000000000007 20010db8000000000000000000000001 c738 01bb';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

const visitor4 = { address: '203.0.113.7', port: 51_000, destination: '192.0.2.1' };
const visitor6 = { address: '2001:db8::7', port: 51_000, destination: '2001:db8::1' };

const WHOLE: readonly (readonly [name: string, bytes: Buffer, peer: object | undefined])[] = [
  ['v1, TCP4', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n'), visitor4],
  ['v1, TCP6', Buffer.from('PROXY TCP6 2001:db8::7 2001:DB8:0::1 51000 443\r\n'), visitor6],
  ['v1, IPv4 as IPv6', Buffer.from('PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 51000 443\r\n'), visitor4],
  ['v1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['v1, UNKNOWN with anything', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
  ['v2, TCP4', hex(`${SIGNATURE} 21 11 000c ${IPV4}`), visitor4],
  ['v2, TCP4 with more behind', hex(`${SIGNATURE} 21 11 0013 ${IPV4} 04 0004 deadbeef`), visitor4],
  ['v2, TCP6', hex(`${SIGNATURE} 21 21 0024 ${IPV6}`), visitor6],
  ['v2, LOCAL', hex(`${SIGNATURE} 20 00 0000`), undefined],
  ['v2, LOCAL with addresses', hex(`${SIGNATURE} 20 11 000c ${IPV4}`), undefined],
  ['v2, unspecified', hex(`${SIGNATURE} 21 00 0000`), undefined],
  ['v2, a Unix socket', hex(`${SIGNATURE} 21 31 00d8 ${'61'.repeat(216)}`), undefined],
];

describe.each(WHOLE)('%s', (_name, bytes, peer) => {
  test('is read, and what follows it is not', () => {
    const header = { kind: 'complete', length: bytes.length, peer };
    expect(readProxyHeader(bytes)).toEqual(header);
    expect(readProxyHeader(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')]))).toEqual(header);
  });

  test('is incomplete up to its last byte', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readProxyHeader(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
    }
  });
});

test.each([
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n'), 'it begins with something else'],
  ['a ClientHello', hex('160301'), 'it begins with something else'],
  ['one wrong byte', Buffer.from('PX'), 'it begins with something else'],
  ['one wrong byte of the signature', hex('0d0a0d0b'), 'it begins with something else'],
  ['two blanks', Buffer.from('PROXY TCP4  203.0.113.7 192.0.2.1 51000 443\r\n'), 'its line cannot be read'],
  ['a port with a zero', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 051 443\r\n'), 'its line cannot be read'],
  ['a port missing', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51000\r\n'), 'its line cannot be read'],
  ['more behind the ports', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51 443 9\r\n'), 'its line cannot be read'],
  ['another protocol', Buffer.from('PROXY UDP4 203.0.113.7 192.0.2.1 51000 443\r\n'), 'its line cannot be read'],
  ['small letters', Buffer.from('PROXY tcp4 203.0.113.7 192.0.2.1 51000 443\r\n'), 'its line cannot be read'],
  ['a port too large', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n'), 'a port above 65535'],
  ['a name', Buffer.from('PROXY TCP4 example.org 192.0.2.1 51000 443\r\n'), 'an address of another kind'],
  ['the other family', Buffer.from('PROXY TCP4 2001:db8::7 192.0.2.1 51000 443\r\n'), 'an address of another kind'],
  ['a line without an end', Buffer.from(`PROXY TCP4 ${'1'.repeat(96)}`), 'its line does not end'],
  ['an end too late', Buffer.from(`PROXY UNKNOWN ${'1'.repeat(92)}\r\n`), 'its line does not end'],
  ['version 3', hex(`${SIGNATURE} 31 11 000c ${IPV4}`), 'an unknown version or command'],
  ['command 2', hex(`${SIGNATURE} 22 11 000c ${IPV4}`), 'an unknown version or command'],
  ['UDP', hex(`${SIGNATURE} 21 12 000c ${IPV4}`), 'it is not about a TCP connection'],
  ['IPv4 cut short', hex(`${SIGNATURE} 21 11 000b ${IPV4}`), 'it is too short'],
  ['IPv6 cut short', hex(`${SIGNATURE} 21 21 0023 ${IPV6}`), 'it is too short'],
  ['a length beyond the bound', hex(`${SIGNATURE} 21 11 ffff`), 'it is too long'],
])('%s is no header', (_name, bytes, reason) => {
  expect(readProxyHeader(bytes)).toEqual({ kind: 'malformed', reason });
});
