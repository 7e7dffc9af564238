// What visitors and service say to each other is the same through a tunnel as without one, exchange by exchange.
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { answer, encodeRequest, type Exchange } from './support/http/exchange.ts';
import { answerExchanges } from './support/http/exchanges/answers.ts';
import { bodyExchanges } from './support/http/exchanges/bodies.ts';
import { connectionExchanges } from './support/http/exchanges/connections.ts';
import { fieldExchanges } from './support/http/exchanges/fields.ts';
import { mixedExchanges } from './support/http/exchanges/mixed.ts';
import { type Field, type Message, valuesOf } from './support/http/message.ts';
import { type Answer, Scene } from './support/http/scene.ts';
import { ScriptedService } from './support/http/scripted-service.ts';
import { type HttpTunnel, startHttpTunnel } from './support/http/tunnel.ts';

/** `TUNNEL_TEST_SEED` to see a failure again. */
const SEED = Number(process.env['TUNNEL_TEST_SEED'] ?? Math.floor(Math.random() * 0x1_0000_0000));
const MIXED = 150;

/**
 * All that a tunnel may change. Besides these: the version in a start line, which is each hop's own, and the space behind a status
 * without a reason (RFC 9112, 2.3 and 4); how the end of a body is told (Transfer-Encoding, extensions of chunks, a
 * Content-Length of 0 in requests).
 */
const MAY_CHANGE = {
  /** Of one hop (RFC 9110, 7.6.1), together with all that Connection names: each hop has its own. */
  hopByHop: ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'],
  /** Told to the service. */
  addedToRequests: ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'via'],
} as const;

const EXCHANGES = [
  ...answerExchanges(),
  ...fieldExchanges(),
  ...bodyExchanges(),
  ...connectionExchanges(),
  ...mixedExchanges(SEED, MIXED),
].map((exchange, id) => ({ ...exchange, id }));

type NumberedExchange = (typeof EXCHANGES)[number];

type Way = 'direct' | 'through the tunnel';

/** What is compared of a message. */
interface Told {
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly trailers: readonly Field[];
  readonly body: Buffer;
}

interface Outcome {
  /** Whole ones, also those that are not final. */
  readonly answers: readonly Told[];
  /** An answer that was begun and is not whole. */
  readonly partial: Told | undefined;
  readonly ending: 'end' | 'reset' | undefined;
  readonly received: readonly { readonly index: number; readonly request: Told }[];
  /** Behind the last answer. */
  readonly rest: Buffer;
}

let direct: ScriptedService;
let behind: ScriptedService;
let tunnel: HttpTunnel;

beforeAll(async () => {
  direct = await ScriptedService.start();
  behind = await ScriptedService.start();
  tunnel = await startHttpTunnel(behind.port);
});

afterAll(async () => {
  await tunnel[Symbol.asyncDispose]();
  await behind[Symbol.asyncDispose]();
  await direct[Symbol.asyncDispose]();
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(`TUNNEL_TEST_SEED=${SEED}`);
});

test('there are at least 300 exchanges, each with a name of its own', () => {
  expect(EXCHANGES.length).toBeGreaterThanOrEqual(300);
  expect(new Set(EXCHANGES.map(({ name }) => name)).size).toBe(EXCHANGES.length);
});

describe.concurrent('as direct', { timeout: 60_000 }, () => {
  test.for(EXCHANGES.map((exchange) => [exchange.name, exchange] as const))('%s', async ([, exchange]) => {
    const [without, through] = await Promise.all([play(exchange, 'direct'), play(exchange, 'through the tunnel')]);
    const partialBytes = Math.min(without.partial?.body.length ?? 0, through.partial?.body.length ?? 0);
    const { answers, ...rest } = compared(exchange, without, partialBytes);
    // Somebody has to say that the service says nothing: the tunnel's server.
    const expected = { answers: exchange.isUnanswered === true ? [...answers, '502 Bad Gateway'] : answers, ...rest };
    expect(compared(exchange, through, partialBytes)).toEqual(expected);
  });
});

test('what is of one hop is not passed on', async () => {
  const fields: Field[] = [
    ['Connection', 'X-Named, mark'],
    ['X-Named', 'mark'],
    ['Keep-Alive', 'mark'],
    ['Proxy-Connection', 'mark'],
    ['TE', 'mark'],
    ['Upgrade', 'mark'],
  ];
  await using scene = await Scene.begin(tunnel.port, ['GET'], [answer({ fields })]);
  behind.play(EXCHANGES.length, scene);
  scene.send(encodeRequest({ fields }, EXCHANGES.length, 0));
  await scene.answersArrive(1);
  expect(scene.messages[0]?.startLine).toBe('HTTP/1.1 200 OK');
  expect(scene.bytes.toString('latin1')).not.toContain('mark');
  expect(JSON.stringify(scene.received[0]?.request().fields)).not.toContain('mark');
});

describe('a connection of the visitor outlives those of the service', () => {
  const closing: readonly (readonly [string, Answer])[] = [
    ['tells that it closes', answer({ body: 'bye', fields: [['Connection', 'close']], closes: true })],
    ['closes without a word', answer({ body: 'bye', closes: true })],
    ['closes to tell the end', answer({ body: 'bye', framing: 'until-close' })],
    [
      'is reset',
      async (turn) => {
        const before = turn.scene.messages.length;
        await answer({ body: 'bye' })(turn);
        await turn.scene.messagesArrive(before + 1);
        turn.socket.resetAndDestroy();
      },
    ],
    ['speaks HTTP/1.0', answer({ body: 'bye', version: '1.0', closes: true })],
  ];

  test.for(closing.flatMap(([how, closes]) => [1, 20].map((atOnce) => ({ how, closes, atOnce }))))(
    'that $how, $atOnce requests at once',
    async ({ closes, atOnce }) => {
      const requests = Array.from({ length: 20 }, (_, at) => ({ target: `/${at}` }));
      const answers = requests.map(() => closes);
      await using scene = await Scene.begin(tunnel.port, [], answers);
      const id = EXCHANGES.length + 1;
      behind.play(id, scene);
      const encoded = requests.map((request, index) => encodeRequest(request, id, index));
      if (atOnce === 1) await oneByOne(scene, encoded);
      else scene.send(Buffer.concat(encoded));
      await scene.answersArrive(requests.length);
      expect(scene.messages.map((message) => `${message.startLine} ${message.body.toString()}`)).toEqual(
        requests.map(() => 'HTTP/1.1 200 OK bye'),
      );
      expect(scene.received.map(({ index }) => index)).toEqual(requests.map((_, index) => index));
    },
  );
});

/** What has to be equal. `partialBytes`: as much of an answer that was cut as both sides have; the rest is a matter of time. */
function compared({ isUnanswered = false }: Exchange, outcome: Outcome, partialBytes: number) {
  const { answers, partial, ending, received, rest } = outcome;
  const isCut = isUnanswered || partial !== undefined;
  return {
    answers: answers.map((answer) => (isUnanswered && isBadGateway(answer) ? answer.startLine : shown(answer))),
    partial: partial && shown({ ...partial, body: partial.body.subarray(0, partialBytes) }),
    rest: isCut ? '' : rest.toString('latin1'),
    ending: isCut ? 'cut' : ending,
    received: received.map(({ index, request }) => ({ index, ...shown(request) })),
  };
}

function isBadGateway({ startLine, fields }: Told): boolean {
  return startLine === '502 Bad Gateway' && valuesOf(fields, 'tunnel-error').length > 0;
}

/** A difference of 1 MiB is not for reading. */
function shown({ body, ...told }: Told): object {
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { ...told, body: { bytes: body.length, beginning: body.toString('latin1', 0, 200), sha256 } };
}

async function play(exchange: NumberedExchange, way: Way): Promise<Outcome> {
  const [service, port] = way === 'direct' ? [direct, direct.port] : [behind, tunnel.port];
  const { id, requests, answers, ends = false, visit = oneByOne, bodiesAreUnread = false } = exchange;
  const methods = requests.map(({ method = 'GET' }) => method);
  await using scene = await Scene.begin(port, methods, answers);
  service.play(id, scene);
  await visit(
    scene,
    requests.map((request, index) => encodeRequest(request, id, index)),
  );
  if (ends) await scene.ends();
  if (!bodiesAreUnread) await scene.requestsSettle();
  const { messages, partial, ending, received } = scene;
  await scene[Symbol.asyncDispose]();
  await scene.isLeft();
  return {
    answers: messages.map((message) => answerOf(message, way)),
    partial: partial && answerOf(partial, way),
    // Whoever wants no end may see one: each hop decides for itself how long its connection stays.
    ending: ends ? ending : undefined,
    received: received.map(({ index, request }) => ({ index, request: requestOf(request(), way, bodiesAreUnread) })),
    rest: scene.rest,
  };
}

async function oneByOne(scene: Scene, requests: readonly Buffer[]): Promise<void> {
  for (const [index, request] of requests.entries()) {
    scene.send(request);
    await scene.answersArrive(index + 1);
  }
}

function answerOf(message: Message, way: Way): Told {
  return told(message, way, message.startLine.replace(/^HTTP\/1\.[01] (.*?) ?$/, '$1'), []);
}

function requestOf(message: Message, way: Way, bodyIsUnread: boolean): Told {
  const line = message.startLine.replace(/ HTTP\/1\.[01]$/, '');
  const whole = told(message, way, line, MAY_CHANGE.addedToRequests);
  const isEmpty = ([name, value]: Field): boolean => name.toLowerCase() === 'content-length' && value === '0';
  const request = { ...whole, fields: whole.fields.filter((field) => !isEmpty(field)) };
  return bodyIsUnread ? { ...request, body: Buffer.alloc(0), trailers: [] } : request;
}

function told({ fields, trailers, body }: Message, way: Way, startLine: string, added: readonly string[]): Told {
  // What is named must not come through.
  const names = way === 'direct' ? valuesOf(fields, 'connection') : [];
  const named = names.flatMap((value) => value.toLowerCase().split(/\s*,\s*/));
  const dropped = new Set<string>([...MAY_CHANGE.hopByHop, ...named, ...added]);
  return { startLine, fields: fields.filter(([name]) => !dropped.has(name.toLowerCase())), trailers, body };
}
