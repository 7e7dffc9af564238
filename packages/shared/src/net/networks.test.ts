import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, NetworkList, parseNetwork } from './networks.ts';

function listOf(...texts: readonly string[]): NetworkList {
  return new NetworkList(texts.map((text) => parseNetwork(text)!));
}

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 'ipv4'],
    ['::ffff:10.0.0.1', '10.0.0.1', 'ipv4'],
    ['::ffff:a00:1', '10.0.0.1', 'ipv4'],
    ['0:0:0:0:0:FFFF:0a00:0001', '10.0.0.1', 'ipv4'],
    ['2001:0DB8:0:0::1', '2001:db8::1', 'ipv6'],
    ['fe80::1%eth0', 'fe80::1', 'ipv6'],
    ['::1.2.3.4', '::102:304', 'ipv6'],
    ['::', '::', 'ipv6'],
  ])('%s is %s, %s', (text, canonical, family) => {
    expect(canonicalAddress(text)).toEqual({ text: canonical, family });
  });

  it.each(['', 'localhost', '10.0.0', '010.0.0.1', '10.0.0.1 ', '[::1]', '::1/128', ':::'])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });
});

describe('a network', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', 8, 'ipv4'],
    ['10.1.2.3/8', '10.1.2.3', 8, 'ipv4'],
    ['10.1.2.3', '10.1.2.3', 32, 'ipv4'],
    ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
    ['2001:db8::/32', '2001:db8::', 32, 'ipv6'],
    ['::1', '::1', 128, 'ipv6'],
    ['::ffff:10.0.0.0/104', '10.0.0.0', 8, 'ipv4'],
    ['::ffff:a00:0/96', '10.0.0.0', 0, 'ipv4'],
    ['::ffff:10.0.0.1', '10.0.0.1', 32, 'ipv4'],
  ])('%s', (text, address, prefix, family) => {
    expect(parseNetwork(text)).toEqual({ address, prefix, family });
  });

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/+8',
    '10.0.0.0/8 ',
    '10/8',
    '::/129',
    '::ffff:10.0.0.0/95',
    'fe80::%eth0/64',
    'fe80::1%eth0',
    'example.org',
    '*',
  ])('%j is none', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});

describe('a list of networks', () => {
  it.each([
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], ['9.255.255.255', '11.0.0.0', '::a00:1']],
    ['10.1.2.3/8', ['10.9.9.9'], ['11.1.2.3']],
    ['192.0.2.128/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127', '192.0.3.0']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255', '::ffff:1.2.3.4'], ['::', '::1', '2001:db8::1']],
    ['2001:db8::/32', ['2001:db8::', '2001:db8:ffff::1'], ['2001:db9::', '2001:db7:ffff::', '32.1.13.184']],
    ['2001:db8::/33', ['2001:db8:7fff::'], ['2001:db8:8000::']],
    ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::', '::2', '0.0.0.1', '127.0.0.1']],
    ['::/0', ['::', 'ffff::', 'fe80::1%eth0'], ['0.0.0.0', '127.0.0.1', '::ffff:127.0.0.1']],
    ['fe80::/10', ['fe80::1%eth0', 'febf::1'], ['fec0::1']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.0']],
  ])('%s', (network, inside, outside) => {
    const list = listOf(network);
    expect(inside.filter((address) => !list.has(address))).toEqual([]);
    expect(outside.filter((address) => list.has(address))).toEqual([]);
  });

  it('has what one of them has, and nothing where it is empty', () => {
    const list = listOf('10.0.0.0/8', '192.0.2.1', 'fd00::/8');
    expect(['10.1.1.1', '192.0.2.1', 'fd12::1', '192.0.2.2', '::1'].map((address) => list.has(address))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(listOf().has('10.1.1.1')).toBe(false);
  });

  it('has nothing that is no address', () => {
    const list = listOf('0.0.0.0/0', '::/0');
    expect(['', 'localhost', '10.0.0', '1.2.3.4%eth0'].filter((text) => list.has(text))).toEqual([]);
  });

  it('has exactly the IPv4 addresses that share the prefix', () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const dotted = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');
    fc.assert(
      fc.property(u32, fc.integer({ min: 0, max: 32 }), u32, fc.nat(32), (network, prefix, other, near) => {
        // Half of the addresses differ from the network in a single bit.
        const address = near === 32 ? other : (network ^ (1 << near)) >>> 0;
        const isInside = prefix === 0 || network >>> (32 - prefix) === address >>> (32 - prefix);
        expect(listOf(`${dotted(network)}/${prefix}`).has(dotted(address))).toBe(isInside);
      }),
    );
  });

  it('has exactly the IPv6 addresses that share the prefix', () => {
    const u128 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    const colons = (number: bigint): string =>
      Array.from({ length: 8 }, (_, index) => ((number >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(':');
    const isMapped = (number: bigint): boolean => number >> 32n === 0xffffn;
    fc.assert(
      fc.property(u128, fc.integer({ min: 0, max: 128 }), fc.nat(127), (network, prefix, bit) => {
        const address = network ^ (1n << BigInt(bit));
        fc.pre(!isMapped(network) && !isMapped(address));
        const rest = BigInt(128 - prefix);
        expect(listOf(`${colons(network)}/${prefix}`).has(colons(address))).toBe(network >> rest === address >> rest);
      }),
    );
  });
});
