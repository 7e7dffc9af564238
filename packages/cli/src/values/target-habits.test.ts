import { describe, expect, test } from 'vitest';
import { parseTarget } from './target.ts';

const parse = (text: string): unknown => parseTarget({ text, source: 'target' }, 'default.lan');

test.each([
  [':3000', { host: 'default.lan', port: 3000 }],
  ['http://localhost:3000', { host: 'localhost', port: 3000 }],
  ['HTTP://localhost:3000/', { host: 'localhost', port: 3000 }],
  ['http://web.lan', { host: 'web.lan', port: 80 }],
  ['http://[::1]:3000', { host: '::1', port: 3000 }],
  ['tcp://db.lan:5432', { host: 'db.lan', port: 5432 }],
])('%s is a target', (text, target) => {
  expect(parse(text)).toEqual(target);
});

describe('what would do something else than it says is refused, with what to give', () => {
  test.each([
    ['3000:8001', 'two ports were given', 'the public port is a flag: give 3000 --port 8001'],
    ['8001:localhost:3000', 'two ports were given', 'the public port is a flag: give localhost:3000 --port 8001'],
    ['https://localhost:8443', 'a tunnel carries TCP as it is: ', 'give localhost:8443, and visit it with https://'],
    ['https://web.lan/', 'a tunnel carries TCP as it is: ', 'give web.lan:443, and visit it with https://'],
    ['http://localhost:3000/app', 'a tunnel carries a whole port, ', 'give localhost:3000'],
    ['http://me:word@localhost:3000', 'a tunnel carries a whole port, ', 'give localhost:3000'],
    ['ws://localhost:3000', 'a tunnel carries TCP and takes no URL', 'give the service as host:port'],
  ])('%s', (text, reason, hint) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ detail: expect.stringContaining(reason) as string, advice: hint }),
    );
  });

  test.each(['tcp://db.lan', 'http://', '::', ':', ':0'])('%s is none', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
