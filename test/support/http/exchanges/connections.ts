// Connections: several requests on one, one after the other or at once, and how they end, in good ways and bad ones.
import { patternBytes } from '../../pattern.ts';
import {
  answer,
  type AnswerSpec,
  encodeHead,
  type Exchange,
  latin1,
  oneAnswer,
  type RequestSpec,
  single,
} from '../exchange.ts';
import type { Field } from '../message.ts';
import type { Answer, Scene } from '../scene.ts';

const close: Field = ['Connection', 'close'];
const keepAlive: Field = ['Connection', 'keep-alive'];

export function connectionExchanges(): readonly Exchange[] {
  return [...lasting(), ...closing(), ...pipelined(), ...refusedUpgrades(), ...cut()];
}

function lasting(): readonly Exchange[] {
  const requests = (count: number, spec: RequestSpec): RequestSpec[] =>
    Array.from({ length: count }, (_, at) => ({ target: `/${at}`, ...spec }));
  const answers = (count: number, spec: AnswerSpec = {}): Answer[] =>
    Array.from({ length: count }, (_, at) => answer({ body: `answer ${at}`, ...spec }));
  return [
    { name: '50 requests, one after the other', requests: requests(50, {}), answers: answers(50) },
    {
      name: '20 uploads, one after the other',
      requests: requests(20, { method: 'POST', body: 'x'.repeat(5_000) }),
      answers: answers(20, { framing: 'chunked' }),
    },
    {
      name: 'HTTP/1.0 with keep-alive, five requests',
      requests: requests(5, { version: '1.0', fields: [keepAlive] }),
      answers: answers(5, { fields: [keepAlive] }),
    },
    single(
      'HTTP/1.0 with keep-alive in capitals',
      { version: '1.0', fields: [['CONNECTION', 'Keep-Alive']] },
      { fields: [keepAlive] },
    ),
    single(
      'HTTP/1.0 with keep-alive, and HEAD',
      { version: '1.0', method: 'HEAD', fields: [keepAlive] },
      {
        framing: 'none',
        fields: [['Content-Length', '7'], keepAlive],
      },
    ),
    single(
      'HTTP/1.1 with a superfluous keep-alive',
      { fields: [keepAlive, ['Keep-Alive', '300']] },
      {
        fields: [keepAlive, ['Keep-Alive', 'timeout=5, max=100']],
      },
    ),
    single('fields named in Connection of a request', {
      fields: [
        ['Connection', 'X-Hop, x-other'],
        ['X-Hop', '1'],
        ['X-Other', '2'],
        ['X-End', '3'],
      ],
    }),
    single(
      'fields named in Connection of an answer',
      {},
      {
        fields: [
          ['Connection', 'X-Hop'],
          ['X-Hop', '1'],
          ['X-End', '3'],
        ],
      },
    ),
    single('Connection in several fields', {
      fields: [
        ['Connection', 'X-Hop'],
        ['connection', 'X-Other'],
        ['X-Hop', '1'],
        ['X-Other', '2'],
      ],
    }),
    single('Proxy-Connection', { fields: [['Proxy-Connection', 'keep-alive']] }),
    single('TE', {
      fields: [
        ['TE', 'trailers'],
        ['Connection', 'TE'],
      ],
    }),
    single('an upgrade that is no WebSocket', {
      fields: [
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAMAAABk'],
      ],
    }),
    single('an upgrade with a body', {
      method: 'POST',
      body: 'the body',
      fields: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'odd/1'],
      ],
    }),
    single(
      'an upgrade that an answer offers',
      {},
      {
        fields: [
          ['Connection', 'Upgrade'],
          ['Upgrade', 'h2c, websocket'],
        ],
      },
    ),
    single(
      '426 with what to upgrade to',
      {},
      {
        status: ' 426 Upgrade Required',
        fields: [
          ['Upgrade', 'odd/2'],
          ['Connection', 'upgrade'],
        ],
      },
    ),
  ];
}

function closing(): readonly Exchange[] {
  const ends = { ends: true } as const;
  const large = patternBytes(1, 8, 300_000);
  return [
    single('close asked for by the visitor', { fields: [close] }, { body: 'bye', fields: [close], closes: true }, ends),
    single(
      'close asked for by the visitor, in capitals',
      { fields: [['connection', 'CLOSE']] },
      { body: 'bye', closes: true },
      ends,
    ),
    single('close asked for by the visitor, a large answer', { fields: [close] }, { body: large, closes: true }, ends),
    single(
      'close asked for by the visitor, in chunks',
      { fields: [close] },
      { body: large, framing: 'chunked', chunkBytes: 999, closes: true },
      ends,
    ),
    single(
      'close asked for by the visitor, with an upload',
      { method: 'POST', body: large, fields: [close] },
      { body: 'bye', closes: true },
      ends,
    ),
    single(
      'close asked for by the visitor, no body',
      { fields: [close] },
      { status: ' 204 No Content', framing: 'none', closes: true },
      ends,
    ),
    single('until close, asked for by the visitor', { fields: [close] }, { body: large, framing: 'until-close' }, ends),
    single('HTTP/1.0 without keep-alive', { version: '1.0' }, { body: 'bye', closes: true }, ends),
    single('HTTP/1.0 with close', { version: '1.0', fields: [close] }, { body: 'bye', closes: true }, ends),
    single('HTTP/1.0 until close, empty', { version: '1.0' }, { body: '', framing: 'until-close' }, ends),
    single(
      'HTTP/1.0 until close, large, in parts',
      { version: '1.0' },
      { body: large, framing: 'until-close', partBytes: 60_013 },
      ends,
    ),
    // The visitor's own connection may go on; that of the service does not.
    single('close told by the service', {}, { body: 'bye', fields: [close], closes: true }, { visit: oneAnswer }),
    single(
      'close told by the service, in chunks',
      {},
      { body: large, framing: 'chunked', chunkBytes: 9_999, fields: [close], closes: true },
      { visit: oneAnswer },
    ),
    single('close by the service that it did not tell', {}, { body: 'bye', closes: true }, { visit: oneAnswer }),
  ];
}

/** An answer other than 101 is the last on its connection. */
function refusedUpgrades(): readonly Exchange[] {
  const fields: Field[] = [
    ['Connection', 'keep-alive, Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Protocol', 'a, b'],
    ['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits'],
    ['Origin', 'http://exchanges.localhost'],
  ];
  const refused = (name: string, spec: AnswerSpec): Exchange =>
    single(`a WebSocket that is refused ${name}`, { fields }, { closes: true, ...spec }, { ends: true });
  return [
    refused('with 403', {
      status: ' 403 Not here',
      fields: [
        ['X-Why', 'because'],
        ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b'],
      ],
      body: 'no',
    }),
    refused('with 401', { status: ' 401 Unauthorized', fields: [['WWW-Authenticate', 'Basic realm="x"']], body: '' }),
    refused('with 426', {
      status: ' 426 Upgrade Required',
      fields: [
        ['Sec-WebSocket-Version', '13, 8'],
        ['Upgrade', 'websocket'],
      ],
      body: 'x',
    }),
    refused('with 302', { status: ' 302 Found', fields: [['Location', '/login']], body: '' }),
    refused('with a page', { body: patternBytes(1, 0, 200_000) }),
    refused('in chunks', {
      status: ' 404 Not Found',
      body: patternBytes(1, 0, 20_000),
      framing: 'chunked',
      chunkBytes: 99,
    }),
    refused('until close', { status: ' 404 Not Found', body: patternBytes(1, 0, 20_000), framing: 'until-close' }),
    refused('without a body', { status: ' 204 No Content', framing: 'none' }),
    refused('after hints', {
      status: ' 403 No',
      body: 'no',
      interim: ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
    }),
    single('a WebSocket that is not answered before the visitor leaves', { fields }, () => {}, {
      visit: async (scene, [bytes]) => {
        scene.send(bytes!);
        await scene.until('the request', () => scene.received.length > 0);
      },
    }),
    single('a request that is not answered before the visitor leaves', { method: 'POST', body: 'x' }, () => {}, {
      visit: async (scene, [bytes]) => {
        scene.send(bytes!);
        await scene.until('the request', () => scene.received.length > 0);
      },
    }),
    single(
      'a WebSocket that is refused with an answer that the visitor leaves',
      { fields },
      ({ socket }) => void socket.write('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nnever\r\n'),
      {
        visit: async (scene, [bytes]) => {
          scene.send(bytes!);
          await scene.bodyArrives(5);
        },
      },
    ),
  ];
}

function pipelined(): readonly Exchange[] {
  const kinds: readonly (readonly [RequestSpec, AnswerSpec])[] = [
    [{}, { body: 'short' }],
    [
      { method: 'POST', body: 'abc' },
      { body: patternBytes(1, 9, 3_000), framing: 'chunked', chunkBytes: 11 },
    ],
    [{ method: 'HEAD' }, { framing: 'none', fields: [['Content-Length', '10']] }],
    [
      { method: 'PUT', body: 'in chunks', framing: 'chunked', chunkBytes: 2 },
      { status: ' 204 No Content', framing: 'none' },
    ],
    [{}, { status: ' 304 Not Modified', framing: 'none', fields: [['ETag', '"x"']] }],
    [{ method: 'DELETE' }, { body: '' }],
    [{}, { body: patternBytes(1, 10, 100_000) }],
  ];
  const mixed = (count: number, shift: number): Pick<Exchange, 'requests' | 'answers'> => {
    const chosen = Array.from({ length: count }, (_, at) => kinds[(at + shift) % kinds.length]!);
    return {
      requests: chosen.map(([request], at) => ({ target: `/${at}`, ...request })),
      answers: chosen.map(([, spec]) => answer(spec)),
    };
  };
  const plain = (count: number): Pick<Exchange, 'requests' | 'answers'> => ({
    requests: Array.from({ length: count }, (_, at) => ({ target: `/${at}` })),
    answers: Array.from({ length: count }, (_, at) => answer({ body: `answer ${at}` })),
  });
  const slow: Answer = async (turn) => {
    await new Promise((resolve) => setTimeout(resolve, 200)); // what a slow answer is, not a wait to be sure
    await answer({ body: 'slow' })(turn);
  };
  const counts = [2, 3, 5, 7, 11, 20, 100];
  return [
    ...counts.map((count) => ({ name: `${count} requests in one write`, ...plain(count), visit: inOneWrite })),
    ...counts.map((count, shift) => ({
      name: `${count} mixed requests in one write`,
      ...mixed(count, shift),
      visit: inOneWrite,
    })),
    ...[1, 13, 97].map((partBytes) => ({
      name: `5 mixed requests in parts of ${partBytes} bytes`,
      ...mixed(5, partBytes),
      visit: async (scene: Scene, requests: readonly Buffer[]) => {
        await scene.sendInParts(Buffer.concat(requests), partBytes);
        await scene.answersArrive(requests.length);
      },
    })),
    {
      name: '100 requests in parts of 997 bytes',
      ...plain(100),
      visit: async (scene: Scene, requests: readonly Buffer[]) => {
        await scene.sendInParts(Buffer.concat(requests), 997);
        await scene.answersArrive(requests.length);
      },
    },
    {
      name: '20 requests in one write, the first answered slowly',
      requests: plain(20).requests,
      answers: [slow, ...plain(20).answers.slice(1)],
      visit: inOneWrite,
    },
    {
      name: '10 requests in one write, the last with close',
      requests: [...plain(9).requests, { fields: [close] }],
      answers: [...plain(9).answers, answer({ body: 'bye', closes: true })],
      visit: inOneWrite,
      ends: true,
    },
    {
      name: '5 requests of HTTP/1.0 with keep-alive in one write',
      requests: plain(5).requests.map((request) => ({ ...request, version: '1.0' as const, fields: [keepAlive] })),
      answers: plain(5).answers,
      visit: inOneWrite,
    },
  ];
}

async function inOneWrite(scene: Scene, requests: readonly Buffer[]): Promise<void> {
  scene.send(Buffer.concat(requests));
  await scene.answersArrive(requests.length);
}

/** Answers that come to nothing. The visitor must notice, and take none of them for whole. */
function cut(): readonly Exchange[] {
  const ends = { ends: true } as const;
  const unanswered = { isUnanswered: true, visit: oneAnswer } as const;
  const lengthHead = encodeHead('HTTP/1.1 200 OK', [['Content-Length', '10000']]);
  const chunkedHead = encodeHead('HTTP/1.1 200 OK', [['Transfer-Encoding', 'chunked']]);
  const openHead = encodeHead('HTTP/1.1 200 OK', [['Content-Type', 'text/plain']]);
  const chunk = latin1(`7d0\r\n${'x'.repeat(2_000)}\r\n`);
  const body = latin1('x'.repeat(2_000));
  const endings: readonly (readonly [string, (socket: Parameters<Answer>[0]['socket']) => unknown])[] = [
    ['reset', (socket) => socket.resetAndDestroy()],
    ['ended', (socket) => socket.end()],
  ];
  const heads: readonly (readonly [string, Buffer, Buffer])[] = [
    ['by length', lengthHead, body],
    ['in chunks', chunkedHead, chunk],
    ['in chunks, within one', chunkedHead, chunk.subarray(0, 1_000)],
    ['until close', openHead, body],
  ];
  /** `isSeen`: the visitor has all that came before the ending. */
  const ending =
    (
      head: Buffer,
      part: Buffer,
      bodyBytes: number,
      end: (socket: Parameters<Answer>[0]['socket']) => unknown,
    ): Answer =>
    async ({ socket, scene, whole }) => {
      await whole();
      socket.write(Buffer.concat([head, part]));
      await scene.bodyArrives(bodyBytes);
      end(socket);
    };
  const seenBytes = (part: Buffer): number => (part === body ? 2_000 : part === chunk ? 2_000 : part.length - 5);
  const versions: readonly RequestSpec[] = [{}, { version: '1.0' }];
  return [
    ...endings.flatMap(([how, end]) =>
      heads.flatMap(([framing, head, part]) =>
        versions
          // An end is the good one of what has no length; HTTP/1.0 has no chunks.
          .filter(() => !(how === 'ended' && framing === 'until close'))
          .filter(({ version }) => !(version === '1.0' && framing.includes('chunk')))
          .map((request) =>
            single(
              `an answer ${framing}, ${how} in its middle, to HTTP/${request.version ?? '1.1'}`,
              request,
              ending(head, part, seenBytes(part), end),
              ends,
            ),
          ),
      ),
    ),
    ...endings.flatMap(([how, end]) => [
      single(
        `no answer at all, ${how}`,
        {},
        async ({ socket, whole }) => void end((await whole(), socket)),
        unanswered,
      ),
      single(
        `no answer to an upload, ${how}`,
        { method: 'POST', body: 'x'.repeat(1_000) },
        async ({ socket, whole }) => void end((await whole(), socket)),
        unanswered,
      ),
      single(
        `an upload that is cut by the service, ${how}`,
        { method: 'POST', body: patternBytes(1, 0, 1_000_000) },
        ({ socket }) => void end(socket),
        { ...unanswered, bodiesAreUnread: true },
      ),
    ]),
    single(
      'a head that is cut, reset',
      {},
      async ({ socket, whole }) => {
        await whole();
        socket.write('HTTP/1.1 200 OK\r\nContent-Le', () => setImmediate(() => socket.resetAndDestroy()));
      },
      unanswered,
    ),
    single(
      'a head that is cut, ended',
      {},
      async ({ socket, whole }) => {
        await whole();
        socket.end('HTTP/1.1 200 OK\r\nContent-Le');
      },
      unanswered,
    ),
    single(
      'hints, and then nothing',
      {},
      async ({ socket, scene, whole }) => {
        await whole();
        socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
        await scene.messagesArrive(1);
        socket.end();
      },
      unanswered,
    ),
    {
      name: 'the second answer of three is cut',
      requests: [{ target: '/1' }, { target: '/2' }, { target: '/3' }],
      answers: [
        answer({ body: 'whole' }),
        ending(lengthHead, body, 2_000, (socket) => socket.resetAndDestroy()),
        answer({ body: 'never' }),
      ],
      visit: inOneWrite,
      ends: true,
    },
    single(
      'an upload that the visitor cuts',
      { method: 'POST', body: patternBytes(1, 0, 100_000) },
      async ({ whole }) => void (await whole()),
      {
        bodiesAreUnread: true,
        visit: async (scene, [bytes]) => {
          scene.send(bytes!.subarray(0, 50_000));
          await scene.until('a part of the upload', () => (scene.received[0]?.request().body.length ?? 0) > 10_000);
          scene.socket.resetAndDestroy();
        },
      },
    ),
  ];
}
