import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodedBody, shownMessage } from './bodies.ts';
import { curlOf } from './curl.ts';
import { recordedExchange } from './exchange.fixture.ts';
import { archiveOf } from './har.ts';
import { containing } from './search.ts';
import { detailOf } from './shown.ts';

const TEXT = JSON.stringify({ words: 'größer als eine Zeile '.repeat(20) });

function answered(coding: string, body: Buffer): ReturnType<typeof recordedExchange> {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return recordedExchange('GET / HTTP/1.1\r\nHost: a\r\n\r\n', Buffer.concat([Buffer.from(head), body]));
}

async function decoded({
  answerHead = '',
  answerBody,
}: ReturnType<typeof recordedExchange>): Promise<string | undefined> {
  const data = answerBody && (await decodedBody(answerHead, answerBody));
  return data && Buffer.from(data).toString();
}

describe('a compressed body', () => {
  const data = Buffer.from(TEXT);

  test.each([
    ['gzip', gzipSync(data)],
    ['br', brotliCompressSync(data)],
    ['deflate', deflateSync(data)],
    ['deflate', deflateRawSync(data)],
    ['gzip, br', brotliCompressSync(gzipSync(data))],
    ['identity', data],
  ])('in %s is shown as what it is', async (coding, body) => {
    expect(await decoded(answered(coding, body))).toBe(TEXT);
  });

  test('is shown as far as it came', async () => {
    const whole = gzipSync(data, { level: 0 });
    expect(TEXT.startsWith((await decoded(answered('gzip', whole.subarray(0, -50)))) ?? 'nothing')).toBe(true);
  });

  test('that becomes too large, or is none, is not', async () => {
    expect(await decoded(answered('gzip', gzipSync(Buffer.alloc(64 * 1024 * 1024))))).toBeUndefined();
    expect(await decoded(answered('gzip', data))).toBeUndefined();
    expect(await decoded(answered('zstd', data))).toBeUndefined();
    const payload = deflateRawSync(Buffer.alloc(1024 * 1024));
    const message = {
      direction: 'sent',
      kind: 'text',
      isCompressed: true,
      atMs: 0,
      bytes: payload.length,
      payload,
    } as const;
    expect(await shownMessage(message)).toMatchObject({ isCompressed: true });
  });

  test('is searched', async () => {
    const exchange = answered('gzip', gzipSync(data));
    expect(await containing([exchange], 'GRÖSSER')).toEqual([]);
    expect(await containing([exchange], 'Größer ALS')).toEqual([exchange]);
  });
});

test('a compressed message of a WebSocket is shown if it stands alone', async () => {
  const payload = deflateRawSync('hello', { finishFlush: 2 }).subarray(0, -4);
  const message = {
    direction: 'sent',
    kind: 'text',
    isCompressed: true,
    atMs: 0,
    bytes: payload.length,
    payload,
  } as const;
  const hello = Buffer.from('hello').toString('base64');
  expect(await shownMessage(message)).toMatchObject({ isCompressed: false, payload: hello });
});

const SECRET = 'open-sesame';
const SECRETS = recordedExchange(
  `POST /it's?a=1&b HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Proto: https\r\nauthorization: Bearer ${SECRET}\r\nCookie: a=${SECRET}; b=${SECRET}\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nit's $`,
  `HTTP/1.1 302 Found\r\nSet-Cookie: sid=${SECRET}; Secure\r\nLocation: /next\r\nContent-Length: 2\r\n\r\nok`,
);

test('what would let somebody in is masked until it is asked for, and always in an archive', async () => {
  const detail = await detailOf(SECRETS, false);
  expect(JSON.stringify(detail)).not.toContain(SECRET);
  expect(detail.requestHeaders).toContainEqual({ name: 'Cookie', value: '••••••', isMasked: true });
  const revealed = JSON.stringify(await detailOf(SECRETS, true));
  expect(revealed.split(SECRET).length).toBe(5);
  expect(curlOf(SECRETS, false)).not.toContain(SECRET);
  expect(JSON.stringify(await archiveOf([SECRETS], '1'))).not.toContain(SECRET);
});

test('as a call of curl', () => {
  expect(curlOf(SECRETS, true)).toBe(
    `curl --request POST 'https://shop.example/it'\\''s?a=1&b' --header 'authorization: Bearer ${SECRET}' --header 'Cookie: a=${SECRET}; b=${SECRET}' --header 'Content-Type: text/plain' --data-binary 'it'\\''s $'`,
  );
  const head = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n';
  const binary = recordedExchange(Buffer.concat([Buffer.from(head), Buffer.from([0, 1, 255])]));
  expect(curlOf(binary, false)).toBe('printf %s AAH/ | base64 -d | curl --request PUT http://a/ --data-binary @-');
});

test('an archive leaves out what would make it too long', async () => {
  const body = gzipSync(Buffer.alloc(3 * 1024 * 1024, 'x'));
  const exchanges = Array.from({ length: 30 }, () => answered('gzip', body));
  const text = JSON.stringify(await archiveOf(exchanges, '1'));
  expect(text.length).toBeLessThan(65 * 1024 * 1024);
  expect(text.match(/left out/g)).toHaveLength(9);
});

test('as an archive', async () => {
  expect(await archiveOf([SECRETS, recordedExchange('GET / HTTP/1.1\r\nHost: a\r\n\r\n')], '1.2.3')).toMatchObject({
    log: {
      version: '1.2',
      creator: { name: 'tunnel', version: '1.2.3' },
      entries: [
        {
          request: {
            method: 'POST',
            url: "https://shop.example/it's?a=1&b",
            queryString: [
              { name: 'a', value: '1' },
              { name: 'b', value: '' },
            ],
            postData: { mimeType: 'text/plain', text: "it's $" },
            bodySize: 6,
          },
          response: { status: 302, statusText: 'Found', redirectURL: '/next', content: { size: 2, text: 'ok' } },
          timings: { send: 0 },
        },
      ],
    },
  });
});
