import { parseServerAddress } from '@tunnel/client';
import { describe, expect, test } from 'vitest';
import type { Environment } from './flags.ts';
import { chooseProxy } from './proxy-choice.ts';

function chosen(server: string, environment: Environment, flag?: string): string | undefined {
  const given = flag === undefined ? undefined : { text: flag, source: '--proxy' };
  return chooseProxy(given, environment, parseServerAddress(server))?.address.host;
}

const all = { http_proxy: 'http-lower', HTTP_PROXY: 'http', HTTPS_PROXY: 'https', ALL_PROXY: 'socks5://all' };

test.each<[string, Environment, string | undefined]>([
  ['ws://a', {}, undefined],
  ['ws://a', all, 'http-lower'],
  ['wss://a', all, 'https'],
  ['ws://a', { ...all, http_proxy: '' }, 'http'],
  ['ws://a', { HTTPS_PROXY: 'https' }, undefined],
  ['ws://a', { HTTPS_PROXY: 'https', all_proxy: 'all' }, 'all'],
  ['wss://a', { ALL_PROXY: 'socks5://all' }, 'all'],
])('%s with %j goes through %s', (server, environment, host) => {
  expect(chosen(server, environment)).toBe(host);
});

describe('without a proxy', () => {
  test.each(['localhost', 'a.localhost', 'localhost.', '127.0.0.1', '127.9.9.9', '[::1]'])('is %s', (host) => {
    expect(chosen(`wss://${host}`, all)).toBeUndefined();
    expect(chosen(`wss://${host}`, all, 'flag')).toBe('flag');
  });

  test('is the server of this machine, but for --proxy', () => {
    expect(chooseProxy(undefined, all, undefined)).toBeUndefined();
    expect(chooseProxy({ text: 'flag', source: '--proxy' }, all, undefined)?.address.host).toBe('flag');
  });

  test.each([
    ['*', 'a.example.org'],
    ['example.org', 'example.org'],
    ['example.org', 'a.example.org'],
    ['.example.org', 'a.example.org.'],
    ['*.Example.org', 'a.example.org'],
    ['b, example.org:7835 ,c', 'example.org:7835'],
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3:7835', '10.1.2.3'],
    ['fd00::/8', '[fd12::1]'],
    ['fd12::1', '[fd12::1]'],
    ['[fd12::1]:7835', '[fd12::1]'],
  ])('by NO_PROXY=%s is %s', (list, host) => {
    expect(chosen(host, { ALL_PROXY: 'all', NO_PROXY: list })).toBeUndefined();
    expect(chosen(host, { ALL_PROXY: 'all', NO_PROXY: list }, 'flag')).toBe('flag');
  });

  test.each([
    ['example.org', 'an-example.org'],
    ['example.org:80', 'example.org:7835'],
    ['10.0.0.0/8', '11.0.0.1'],
    ['10.0.0.0/8', 'example.org'],
    ['10.0.0.0/99', '10.0.0.1'],
    ['fd00::/8', '10.0.0.1'],
    ['1', '10.0.0.1'],
    [' , .', 'example.org'],
  ])('by NO_PROXY=%s is not %s', (list, host) => {
    expect(chosen(host, { ALL_PROXY: 'all', NO_PROXY: list })).toBe('all');
  });
});

test('an error names the variable, and no password', () => {
  const environment = { HTTPS_PROXY: 'https://me:word@a:b:c' };
  expect(() => chosen('wss://a', environment)).toThrow('wrong usage: HTTPS_PROXY "https://***@a:b:c" is no proxy: ');
});

test('a password on the command line can be seen', () => {
  const server = parseServerAddress('a');
  expect(chooseProxy({ text: 'me:word@a', source: '--proxy' }, {}, server)?.isExposed).toBe(true);
  expect(chooseProxy({ text: 'a', source: '--proxy' }, {}, server)?.isExposed).toBe(false);
  expect(chooseProxy(undefined, { ALL_PROXY: 'me:word@a' }, server)?.isExposed).toBe(false);
});
