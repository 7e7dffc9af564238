// Bodies on their way to the service, what goes before them, what follows them, and answers that come before their end.
import { patternBytes } from '../../pattern.ts';
import {
  answer,
  type AnswerSpec,
  encodeChunk,
  encodeHead,
  type Exchange,
  latin1,
  oneAnswer,
  type RequestSpec,
  single,
} from '../exchange.ts';
import type { Field } from '../message.ts';
import type { Answer, Scene } from '../scene.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS =
  'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\nlink: </a.js>; rel=preload\r\n\r\n';

const expects: Field = ['Expect', '100-continue'];

export function bodyExchanges(): readonly Exchange[] {
  return [...uploads(), ...continues(), ...hints(), ...trailers(), ...early(), ...polls()];
}

function uploads(): readonly Exchange[] {
  const sizes = [0, 1, 100, 16 * KiB, 64 * KiB + 1, MiB];
  const ways: readonly (readonly [string, RequestSpec])[] = [
    ['by length', { framing: 'length' }],
    ['in a chunk', { framing: 'chunked' }],
    ['in chunks', { framing: 'chunked', chunkBytes: 4_099 }],
  ];
  const methods = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND', 'REPORT', 'QUERY', 'LOCK'];
  return [
    ...sizes.flatMap((bytes) =>
      ways.map(([way, spec]) =>
        single(
          `an upload of ${bytes} bytes ${way}, and as much back`,
          { method: 'POST', body: patternBytes(1, bytes, bytes), ...spec },
          { body: patternBytes(2, bytes, bytes), framing: 'chunked', chunkBytes: 9_973 },
        ),
      ),
    ),
    ...methods.flatMap((method) =>
      ['length', 'chunked'].map((framing) =>
        single(`${method} with a body, ${framing}`, {
          method,
          body: 'the body',
          framing: framing as 'length' | 'chunked',
        }),
      ),
    ),
    single('an upload with extensions of chunks', {
      method: 'POST',
      body: 'abcdef',
      framing: 'chunked',
      chunkBytes: 1,
      extension: ';x="y"',
    }),
    single('an upload of HTTP/1.0', { method: 'POST', version: '1.0', body: 'old' }, { closes: true }, { ends: true }),
    inParts(
      'an upload in small parts',
      { method: 'POST', body: patternBytes(1, 0, 300), fields: [['X-Slow', '1']] },
      7,
    ),
    inParts(
      'an upload in chunks and small parts',
      { method: 'POST', body: 'a'.repeat(50), framing: 'chunked', chunkBytes: 3 },
      2,
    ),
    inParts('an upload of 1 MiB in parts', { method: 'PUT', body: patternBytes(2, 0, MiB) }, 50_021),
    single('an upload read slowly', { method: 'POST', body: patternBytes(2, 0, MiB) }, async (turn) => {
      turn.socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 100)); // what a slow service does, not a wait to be sure
      turn.socket.resume();
      await answer({ body: 'got it' })(turn);
    }),
    {
      name: 'a form, part by part as the service asks',
      requests: [{ method: 'POST', framing: 'chunked', body: '' }],
      answers: [answer({ body: 'whole' })],
      visit: async (scene, [bytes]) => {
        // Without the last chunk, which is 5 bytes.
        scene.send(bytes!.subarray(0, -5));
        for (const [index, part] of ['first', 'second', 'third'].entries()) {
          scene.send(encodeChunk(part));
          const expected = 'firstsecondthird'.slice(0, [5, 11, 16][index]);
          await scene.until(`the ${part} part`, () => scene.received[0]?.request().body.toString() === expected);
        }
        scene.send('0\r\n\r\n');
        await scene.answersArrive(1);
      },
    },
  ];
}

function inParts(name: string, request: RequestSpec, partBytes: number): Exchange {
  return single(
    name,
    request,
    { body: 'got it' },
    {
      visit: async (scene, [bytes]) => {
        await scene.sendInParts(bytes!, partBytes);
        await scene.answersArrive(1);
      },
    },
  );
}

/** Sends the head, waits for an answer of any kind, and only then the body, if that is asked for. */
async function asksFirst(scene: Scene, [bytes]: readonly Buffer[]): Promise<void> {
  const headEnd = bytes!.indexOf('\r\n\r\n') + 4;
  scene.send(bytes!.subarray(0, headEnd));
  await scene.messagesArrive(1);
  if (scene.messages[0]?.startLine.includes(' 100')) scene.send(bytes!.subarray(headEnd));
  await scene.answersArrive(1);
}

function continues(): readonly Exchange[] {
  const upload: RequestSpec = { method: 'PUT', body: patternBytes(1, 5, 70_000), fields: [expects] };
  const granted: AnswerSpec = { interim: [CONTINUE], body: 'thank you' };
  const refused = (status: string, spec: AnswerSpec = {}): Answer =>
    answer({ status, body: 'no', awaitsBody: false, closes: true, ...spec });
  const asked = (name: string, request: RequestSpec, how: Answer, options: Partial<Exchange> = {}): Exchange =>
    single(`100-continue ${name}`, request, how, { visit: asksFirst, bodiesAreUnread: true, ...options });
  return [
    asked('granted', upload, answer(granted), { bodiesAreUnread: false }),
    asked('granted, in chunks', { ...upload, framing: 'chunked', chunkBytes: 999 }, answer(granted), {
      bodiesAreUnread: false,
    }),
    asked('granted after hints', upload, answer({ ...granted, interim: [CONTINUE, HINTS] }), {
      bodiesAreUnread: false,
    }),
    asked('refused with 417', upload, refused(' 417 Expectation Failed')),
    asked(
      'refused with 417, on a connection that goes on',
      upload,
      refused(' 417 Expectation Failed', { closes: false }),
    ),
    asked(
      'refused with 401',
      upload,
      refused(' 401 Unauthorized', { fields: [['WWW-Authenticate', 'Basic realm="x"']] }),
    ),
    asked('refused with 413', upload, refused(' 413 Content Too Large')),
    asked('answered at once with 200', upload, refused(' 200 OK')),
    asked('answered at once with 303', upload, refused(' 303 See Other', { fields: [['Location', '/there']] })),
    asked('answered at once, in chunks', upload, refused(' 200 OK', { framing: 'chunked' })),
    asked('in capitals', { ...upload, fields: [['EXPECT', '100-Continue']] }, answer(granted), {
      bodiesAreUnread: false,
    }),
    single('100-continue that the visitor does not wait for', upload, granted),
    // Node's server cannot know whether a body will follow, and closes; any may.
    single(
      '100-continue that the service does not give, and the visitor does not wait for',
      upload,
      { body: 'anyway' },
      { visit: oneAnswer },
    ),
    single('100 that nobody asked for', { method: 'POST', body: 'x' }, granted),
    single('100 twice', upload, { ...granted, interim: [CONTINUE, CONTINUE] }),
    single('100-continue without a body', { fields: [expects] }, { interim: [CONTINUE], body: 'x' }),
  ];
}

function hints(): readonly Exchange[] {
  const other =
    'HTTP/1.1 103 Early Hints\r\nLink: </b>; rel=x\r\nX-Other: y\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n';
  const named = (name: string, interim: readonly string[], request: RequestSpec = {}): Exchange =>
    single(name, request, { interim, body: 'the page', fields: [['Link', '</style.css>; rel=preload']] });
  return [
    named('103', [HINTS]),
    named('103 twice', [HINTS, other]),
    named('103 without a link', ['HTTP/1.1 103 Early Hints\r\nX-Only: this\r\n\r\n']),
    named('103 without fields', ['HTTP/1.1 103 Early Hints\r\n\r\n']),
    named('103 with a reason of its own', ['HTTP/1.1 103 Look here\r\nLink: </a>\r\n\r\n']),
    named('102', ['HTTP/1.1 102 Processing\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n']),
    named('102, then 103', ['HTTP/1.1 102 Processing\r\n\r\n', HINTS]),
    named('199, which nobody knows', ['HTTP/1.1 199 Odd\r\nX-Odd: yes\r\n\r\n']),
    named('103 with an upload', [HINTS], { method: 'POST', body: 'x' }),
    single('103 comes while the answer is not there', {}, async (turn) => {
      turn.socket.write(HINTS);
      await turn.scene.messagesArrive(1);
      await answer({ body: 'later' })(turn);
    }),
  ];
}

function trailers(): readonly Exchange[] {
  const fields: Field[] = [
    ['X-Checksum', 'abc'],
    ['x-CASE', 'Kept'],
    ['X-More', '1'],
    ['X-More', '2'],
    ['X-Empty', ''],
  ];
  const announced: Field = ['Trailer', 'X-Checksum, x-CASE, X-More'];
  const body = 'with trailers';
  const down = { framing: 'chunked', chunkBytes: 5, body, trailers: fields } as const;
  const up: RequestSpec = { method: 'POST', ...down };
  return [
    single(
      'trailers down, announced',
      {
        fields: [
          ['TE', 'trailers'],
          ['Connection', 'TE'],
        ],
      },
      { ...down, fields: [announced] },
    ),
    single('trailers down, not announced', {}, down),
    single('trailers up, announced', { ...up, fields: [announced] }),
    single('trailers up, not announced', up),
    single('trailers both ways', up, down),
    single('trailers both ways, no body', { ...up, body: '' }, { ...down, body: '' }),
    single('trailers with bytes of latin1', {}, { ...down, trailers: [['X-High', 'a\xe4\xff']] }),
    single(
      'trailers of grpc-web',
      {},
      {
        ...down,
        trailers: [
          ['grpc-status', '0'],
          ['grpc-message', 'fine%20'],
        ],
      },
    ),
  ];
}

function early(): readonly Exchange[] {
  const upload: RequestSpec = { method: 'POST', body: patternBytes(1, 6, MiB) };
  const unread = { bodiesAreUnread: true } as const;
  /** Answers, and never reads what still comes. */
  const refusing =
    (spec: AnswerSpec): Answer =>
    async (turn) => {
      turn.socket.pause();
      await answer({ awaitsBody: false, closes: true, ...spec })(turn);
      await turn.scene.answersArrive(1);
      turn.socket.resume();
    };
  const tooLarge: AnswerSpec = { status: ' 413 Content Too Large', body: 'too large' };
  /** The first half of the body goes before the answer, the rest after it. */
  const halfway = async (scene: Scene, [bytes]: readonly Buffer[]): Promise<void> => {
    const middle = bytes!.length - 500_000;
    scene.send(bytes!.subarray(0, middle));
    await scene.answersArrive(1);
    scene.send(bytes!.subarray(middle));
  };
  return [
    single('413 before the body is there', upload, refusing(tooLarge), { ...unread, visit: halfway }),
    single('413 while the body comes', upload, refusing(tooLarge), { ...unread, visit: allAtOnce }),
    single('413 in chunks', upload, refusing({ ...tooLarge, framing: 'chunked' }), { ...unread, visit: allAtOnce }),
    single('413 until close', upload, refusing({ ...tooLarge, framing: 'until-close' }), {
      ...unread,
      visit: allAtOnce,
    }),
    single(
      'an answer before the body, which is read nevertheless',
      upload,
      answer({ body: 'early', awaitsBody: false }),
      {
        visit: async (scene, requests) => {
          await halfway(scene, requests);
          await scene.until('the whole request', () => scene.received[0]?.request().isComplete === true);
        },
      },
    ),
    {
      name: 'an answer before the body, and another request right behind that',
      requests: [upload, { target: '/next' }],
      answers: [
        async (turn) => {
          await answer({ body: 'early', awaitsBody: false })(turn);
          turn.socket.pause();
          // Time for the next request to get into the midst of this one, if it could.
          await new Promise((resolve) => setTimeout(resolve, 100));
          turn.socket.resume();
          await turn.whole();
        },
        answer({ body: 'next' }),
      ],
      visit: async (scene, [first, second]) => {
        const middle = first!.length - 500_000;
        scene.send(first!.subarray(0, middle));
        await scene.answersArrive(1);
        scene.send(Buffer.concat([first!.subarray(middle), second!]));
        await scene.answersArrive(2);
      },
    },
    single('an answer before the body, and the visitor leaves', upload, answer({ body: 'early', awaitsBody: false }), {
      ...unread,
      visit: async (scene, [bytes]) => {
        scene.send(bytes!.subarray(0, 500_000));
        await scene.answersArrive(1);
      },
    }),
    single('answer and body side by side', { ...upload, framing: 'chunked', body: '' }, echoed, {
      visit: async (scene, [bytes]) => {
        scene.send(bytes!.subarray(0, -5));
        for (let round = 1; round <= 20; round += 1) {
          scene.send(encodeChunk('ping'));
          await scene.bodyArrives(4 * round);
        }
        scene.send('0\r\n\r\n');
        await scene.answersArrive(1);
      },
    }),
  ];
}

async function allAtOnce(scene: Scene, requests: readonly Buffer[]): Promise<void> {
  scene.send(Buffer.concat(requests));
  await scene.answersArrive(requests.length);
}

/** Answers each part of the body when it comes. */
const echoed: Answer = async ({ socket, scene, request }) => {
  socket.write(encodeHead('HTTP/1.1 200 OK', [['Transfer-Encoding', 'chunked']]));
  let sentBytes = 0;
  while (!request().isComplete) {
    await scene.until('more of the body', () => request().body.length > sentBytes || request().isComplete);
    const part = request().body.subarray(sentBytes);
    if (part.length > 0) socket.write(encodeChunk(part));
    sentBytes += part.length;
  }
  socket.write('0\r\n\r\n');
};

/** Answers that take their time, or have no end. */
function polls(): readonly Exchange[] {
  const after =
    (delayMs: number): Answer =>
    async (turn) => {
      await new Promise((resolve) => setTimeout(resolve, delayMs)); // the poll itself, not a wait to be sure
      await answer({ body: 'news' })(turn);
    };
  const endless: Answer = async ({ socket, scene }) => {
    socket.write(
      encodeHead('HTTP/1.1 200 OK', [
        ['Transfer-Encoding', 'chunked'],
        ['Content-Type', 'text/event-stream'],
      ]),
    );
    for (let event = 0; !socket.destroyed && socket.writable; event += 1) {
      socket.write(encodeChunk(`data: ${event % 10}\n\n`));
      await scene.until(
        'an event',
        () => (scene.partial?.body.length ?? 0) >= 9 * (event + 1) || scene.socket.destroyed,
      );
      if (scene.socket.destroyed) return;
    }
  };
  return [
    ...[1_000, 2_000, 3_000].map((delayMs) => single(`a long poll of ${delayMs} ms`, {}, after(delayMs))),
    single('a long poll with a body', { method: 'POST', body: 'what is new?' }, after(1_500)),
    single('a stream that the visitor leaves', {}, endless, { visit: leavesEarly }),
    single('a body without end, by parts', {}, async ({ socket, scene }) => {
      socket.write(encodeHead('HTTP/1.1 200 OK', [['Transfer-Encoding', 'chunked']]));
      for (let part = 1; part <= 30; part += 1) {
        socket.write(encodeChunk('x'));
        await scene.bodyArrives(part);
      }
      socket.write('0\r\n\r\n');
    }),
    single('a body by length, by parts', {}, async ({ socket, scene }) => {
      socket.write(encodeHead('HTTP/1.1 200 OK', [['Content-Length', '30']]));
      for (let part = 1; part < 30; part += 1) {
        socket.write('x');
        await scene.bodyArrives(part);
      }
      socket.write('x');
    }),
    single('a head alone, long before its body', {}, async ({ socket, scene }) => {
      socket.write(encodeHead('HTTP/1.1 200 OK', [['Content-Length', '4']]));
      await scene.bodyArrives(0);
      socket.write(latin1('body'));
    }),
  ];
}

async function leavesEarly(scene: Scene, [bytes]: readonly Buffer[]): Promise<void> {
  scene.send(bytes!);
  await scene.bodyArrives(180);
  scene.socket.destroy();
}
