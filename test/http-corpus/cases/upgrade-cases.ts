import { HANDSHAKE_HEADER } from '@tunnel/shared';
import { cases, type CorpusCase, get, head, HOST, SMUGGLED } from '../corpus-case.ts';

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const VERSION = 'Sec-WebSocket-Version: 13';
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket'];
const HANDSHAKE = `${HANDSHAKE_HEADER}: ${Buffer.alloc(96, 1).toString('base64url')}`;
/** Before there is an answer nothing behind an upgrade may reach the service: one that knows no upgrades would take it for a request. */
const early = (bytes: string): string => `${bytes}${SMUGGLED}`;
/** Behind what is no upgrade the next request may stand. */
const behind = (bytes: string): string => `${bytes}${get('/second')}`;
const request = (method: string, ...fields: readonly string[]): string =>
  head(`${method} /case HTTP/1.1`, `Host: ${HOST}`, ...fields);

/** Requests for another protocol, before a service that knows none. */
export const upgradeCases: readonly CorpusCase[] = cases({
  'a WebSocket': get('/case', ...UPGRADE, KEY, VERSION),
  'a WebSocket, and bytes that do not wait for its answer': early(get('/case', ...UPGRADE, KEY, VERSION)),
  'a WebSocket of a version that is none': early(get('/case', ...UPGRADE, KEY, 'Sec-WebSocket-Version: 777')),
  'a WebSocket without a key': early(get('/case', ...UPGRADE)),
  'a WebSocket in HTTP/1.0': behind(head('GET /case HTTP/1.0', `Host: ${HOST}`, ...UPGRADE, KEY, VERSION)),
  'a WebSocket with a body': get('/case', ...UPGRADE, KEY, VERSION, 'Content-Length: 5') + 'hello',
  'a WebSocket with a body in chunks':
    get('/case', ...UPGRADE, KEY, VERSION, 'Transfer-Encoding: chunked') + `5\r\nhello\r\n0\r\n\r\n`,
  'a WebSocket with a length of 0': early(get('/case', ...UPGRADE, KEY, VERSION, 'Content-Length: 0')),
  'a WebSocket by POST': behind(request('POST', ...UPGRADE, KEY, VERSION)),
  'a WebSocket by POST with a body':
    request('POST', ...UPGRADE, KEY, VERSION, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
  'a WebSocket by HEAD': behind(request('HEAD', ...UPGRADE, KEY, VERSION)),
  'a WebSocket by CONNECT': behind(request('CONNECT', ...UPGRADE, KEY, VERSION)),
  'a WebSocket in upper case': get('/case', 'CONNECTION: UPGRADE', 'UPGRADE: WEBSOCKET', KEY, VERSION),
  'a WebSocket, twice': behind(get('/case', ...UPGRADE, 'Upgrade: websocket', KEY, VERSION)),
  'a WebSocket, and Connection also names other fields': get(
    '/case',
    'Connection: Upgrade, X-Secret, Host',
    'Upgrade: websocket',
    'X-Secret: 1',
    KEY,
    VERSION,
  ),
  'a WebSocket, and Connection also says close': early(
    get('/case', 'Connection: close, Upgrade', 'Upgrade: websocket', KEY, VERSION),
  ),
  'an absolute target for a WebSocket of another host': head(
    'GET ws://other.localhost/case HTTP/1.1',
    `Host: ${HOST}`,
    ...UPGRADE,
    KEY,
    VERSION,
  ),
  'a WebSocket with two Hosts': early(get('/case', 'Host: localhost', ...UPGRADE, KEY, VERSION)),

  'Connection names Upgrade, which is not there': get('/case', 'Connection: Upgrade'),
  'Upgrade, which Connection does not name': get('/case', 'Upgrade: websocket', KEY, VERSION),
  'Upgrade, which Connection does not name, and a body': `${request('POST', 'Upgrade: websocket', 'Content-Length: 5')}hello`,
  h2c: behind(
    get('/case', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
  ),
  'h2c that Connection does not name in full': behind(
    get('/case', 'Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
  ),
  'h2c by POST':
    request(
      'POST',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      'Content-Length: 5',
    ) + 'hello',
  'h2c or a WebSocket': behind(
    get(
      '/case',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c, websocket',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      KEY,
      VERSION,
    ),
  ),
  'a WebSocket or h2c': behind(get('/case', 'Connection: Upgrade', 'Upgrade: websocket, h2c', KEY, VERSION)),
  TLS: behind(get('/case', 'Connection: Upgrade', 'Upgrade: TLS/1.0')),
  'a protocol that nobody knows': behind(get('/case', 'Connection: Upgrade', 'Upgrade: nothing/1')),
  'an empty Upgrade': behind(get('/case', 'Connection: Upgrade', 'Upgrade:')),

  'a WebSocket right behind a request': get('/first') + get('/case', ...UPGRADE, KEY, VERSION),
  'a WebSocket right behind a request with a body': `${request('POST', 'Content-Length: 5')}hello${get('/socket', ...UPGRADE, KEY, VERSION)}`,
  'h2c right behind a request': get('/first') + get('/case', 'Connection: Upgrade', 'Upgrade: h2c'),
  'a bad upgrade right behind a request': get('/first') + get('/case', 'Host: localhost', ...UPGRADE, KEY, VERSION),
  'an upgrade right behind a bad request': get('/first', 'Host: localhost') + get('/case', ...UPGRADE, KEY, VERSION),
  'an upgrade of the server right behind a request':
    get('/first') + head('GET /case HTTP/1.1', 'Host: localhost', ...UPGRADE, KEY, VERSION),
  'a hundred upgrades that nobody knows': Array.from({ length: 100 }, (_, index) =>
    get(`/case/${index}`, 'Connection: Upgrade', 'Upgrade: x'),
  ).join(''),

  'a link to a host of the tunnel': early(get('/case', ...UPGRADE, KEY, VERSION, HANDSHAKE)),
  'a link to a host of the tunnel, at the place of links': head(
    'GET / HTTP/1.1',
    `Host: ${HOST}`,
    ...UPGRADE,
    KEY,
    VERSION,
    HANDSHAKE,
  ),
  'a link by POST': behind(request('POST', ...UPGRADE, KEY, VERSION, HANDSHAKE)),
  'a link without an upgrade': get('/case', HANDSHAKE),
});
