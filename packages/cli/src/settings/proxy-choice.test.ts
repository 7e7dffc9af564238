import { parseServerAddress } from '@tunnel/client';
import { describe, expect, test } from 'vitest';
import type { Environment } from './flags.ts';
import { advise } from '../hints/advice.ts';
import { adviceWithProxy, chooseProxy, type GivenProxies, unusedProxy, whyDirect } from './proxy-choice.ts';

const NONE: GivenProxies = { onCommandLine: undefined, inFile: undefined };

function byFlag(text: string): GivenProxies {
  return { ...NONE, onCommandLine: { text, source: '--proxy' } };
}

function byFile(text: string): GivenProxies {
  return { ...NONE, inFile: { text, source: 'config.toml:1:1: client.proxy' } };
}

function chosen(server: string, environment: Environment, given = NONE): string | undefined {
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

test('the flag goes before the environment, which goes before the file', () => {
  const both = { ...byFile('file'), onCommandLine: byFlag('flag').onCommandLine };
  expect(chosen('wss://a', all, both)).toBe('flag');
  expect(chosen('wss://a', all, byFile('file'))).toBe('https');
  expect(chosen('wss://a', {}, byFile('file'))).toBe('file');
  expect(chosen('wss://a', { ...all, NO_PROXY: 'a' }, byFile('file'))).toBe('file');
});

describe('without a proxy', () => {
  test.each(['localhost', 'a.localhost', 'localhost.', '127.0.0.1', '127.9.9.9', '[::1]'])('is %s', (host) => {
    expect(chosen(`wss://${host}`, all)).toBeUndefined();
    expect(chosen(`wss://${host}`, all, byFlag('flag'))).toBe('flag');
  });

  test('is the server of this machine, unless it was given for this program', () => {
    expect(chooseProxy(NONE, all, undefined)).toBeUndefined();
    expect(chooseProxy(byFlag('flag'), all, undefined)?.address.host).toBe('flag');
    expect(chooseProxy(byFile('file'), all, undefined)?.address.host).toBe('file');
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
    expect(chosen(host, { ALL_PROXY: 'all', NO_PROXY: list }, byFlag('flag'))).toBe('flag');
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
  expect(() => chosen('wss://a', environment)).toThrow(
    'wrong usage: HTTPS_PROXY "https://***@a:b:c" is not a valid proxy: ',
  );
});

test('a password on the command line can be seen', () => {
  const server = parseServerAddress('a');
  expect(chooseProxy(byFlag('me:word@a'), {}, server)?.isExposed).toBe(true);
  expect(chooseProxy(byFlag('a'), {}, server)?.isExposed).toBe(false);
  expect(chooseProxy(byFile('me:word@a'), {}, server)?.isExposed).toBe(false);
  expect(chooseProxy(NONE, { ALL_PROXY: 'me:word@a' }, server)?.isExposed).toBe(false);
});

describe('a proxy for the other kind of address', () => {
  const unused = (to: string, environment: Environment) => unusedProxy(environment, parseServerAddress(to));

  test.each<[string, Environment, string, RegExp]>([
    ['a.lan', { HTTPS_PROXY: 'p' }, 'HTTPS_PROXY', /wss:\/\/ only: .*wss:\/\/ if .*--proxy.*a\.lan in NO_PROXY/],
    ['a.lan', { https_proxy: 'p' }, 'https_proxy', /^https_proxy is set/],
    ['wss://a.lan', { HTTP_PROXY: 'p' }, 'HTTP_PROXY', / ws:\/\/ only: set HTTPS_PROXY.*--proxy.*a\.lan in NO_PROXY/],
  ])('is named where %s is given with %j', (to, environment, source, advice) => {
    expect(unused(to, environment)).toMatchObject({ source, advice: expect.stringMatching(advice) as string });
  });

  test.each<[string, Environment]>([
    ['a.lan', {}],
    ['wss://a.lan', { HTTPS_PROXY: 'p' }],
    ['a.lan', { HTTPS_PROXY: 'p', HTTP_PROXY: 'p' }],
    ['a.lan', { HTTPS_PROXY: 'p', ALL_PROXY: 'p' }],
    ['a.lan', { HTTPS_PROXY: 'p', NO_PROXY: '.lan' }],
    ['localhost', { HTTPS_PROXY: 'p' }],
  ])('is none where %s is given with %j', (to, environment) => {
    expect(unused(to, environment)).toBeUndefined();
  });

  test('is told of behind the hint of failures that it may explain, and of no others', () => {
    const proxy = unused('a.lan', { HTTPS_PROXY: 'p' });
    expect(adviceWithProxy(proxy, 'tcp-timeout', advise('look'))).toEqual(advise(`look; ${proxy?.advice}`));
    expect(adviceWithProxy(proxy, 'secret-refused', advise('ask'))).toEqual(advise('ask'));
    expect(adviceWithProxy(undefined, 'tcp-timeout', advise('look'))).toEqual(advise('look'));
  });
});

test('why there is none is told', () => {
  const why = (to: string, environment: Environment): string => whyDirect(environment, parseServerAddress(to));
  expect(why('localhost', { ALL_PROXY: 'all' })).toBe(
    'a proxy of the environment is never used for this machine itself',
  );
  expect(why('a.example.org', { ALL_PROXY: 'all', NO_PROXY: 'example.org' })).toBe('NO_PROXY has a.example.org');
  expect(why('a.example.org', { HTTPS_PROXY: 'p' })).toBe('HTTPS_PROXY is set, but that is for wss:// only');
  expect(why('wss://a.example.org', {})).toContain('neither --proxy, HTTPS_PROXY or ALL_PROXY');
});
