import { expect, test } from 'vitest';
import { refusalOfSender, refusalOfToken } from './guard.ts';

test.each(['localhost:4040', 'LOCALHOST', '127.0.0.1:4040', '127.8.9.1', '[::1]:4040', 'localhost:5050'])(
  'a sender that calls this machine %s is let in',
  (host) => {
    expect(refusalOfSender({ host })).toBeUndefined();
    expect(refusalOfSender({ host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toBeUndefined();
  },
);

test.each([
  undefined,
  '',
  'evil.example:4040',
  'localhost.evil.example',
  '127.0.0.1.evil.example:4040',
  'web-abc.localhost:4040',
  'localhost@evil.example',
  'user@localhost:4040',
  '192.0.2.1:4040',
  '127.0.0.1:4040, evil.example',
  '[::2]:4040',
  '2130706433:4040',
  '0.0.0.0:4040',
])('a sender that calls it %s is not', (host) => {
  expect(refusalOfSender({ host })?.status).toBe(403);
});

test.each([
  'http://evil.example',
  'null',
  'https://localhost:4040',
  'http://localhost:3000',
  'http://127.0.0.1:4040',
  '',
])('an Origin of %s is foreign to localhost:4040', (origin) => {
  expect(refusalOfSender({ host: 'localhost:4040', origin })?.status).toBe(403);
});

test('what came through a tunnel, or from another site, is refused', () => {
  expect(refusalOfSender({ host: 'localhost', via: '1.1 tunnel-abc' })?.status).toBe(403);
  expect(refusalOfSender({ host: 'localhost', 'sec-fetch-site': 'cross-site' })?.status).toBe(403);
  expect(refusalOfSender({ host: 'localhost', 'sec-fetch-site': 'same-site' })?.status).toBe(403);
  expect(refusalOfSender({ host: 'localhost', 'sec-fetch-site': 'none' })).toBeUndefined();
  // Somebody follows the link on a page.
  const visit = { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  expect(refusalOfSender({ ...visit, 'sec-fetch-dest': 'document' })).toBeUndefined();
  expect(refusalOfSender({ ...visit, 'sec-fetch-dest': 'iframe' })?.status).toBe(403);
});

test('without the token nothing is answered but how to get it', () => {
  expect(refusalOfToken({ authorization: 'Bearer secret' }, 'secret')).toBeUndefined();
  for (const authorization of ['Bearer', 'Bearer secre', 'bearer secret', 'Basic secret', 'secret', undefined]) {
    const refusal = refusalOfToken(authorization === undefined ? {} : { authorization }, 'secret');
    expect(refusal).toEqual({ status: 401, text: expect.stringContaining('open the link') as string });
  }
});
