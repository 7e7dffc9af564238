// Whatever the other lists do one by one, drawn together by a seed.
import { METHODS } from 'node:http';
import { patternBytes } from '../../pattern.ts';
import { type Random, randomInteger, seededRandom } from '../../random.ts';
import { answer, type AnswerSpec, type Exchange, type RequestSpec } from '../exchange.ts';
import type { Field } from '../message.ts';
import type { Scene } from '../scene.ts';

const WITHOUT_BODY = [' 204 No Content', ' 304 Not Modified'];
const STATUSES = [' 200 OK', ' 201 ', ' 202 Acc\xe9pted', ' 302 Found', ' 404 Not Found', ' 500 Oh', ' 599 Odd'];
const INTERIM = ['HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n'];
const METHODS_USED = METHODS.filter((method) => method !== 'CONNECT' && method !== 'TRACE');

export function mixedExchanges(seed: number, count: number): readonly Exchange[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, at) => mixedExchange(`mixed ${at}`, random));
}

function mixedExchange(name: string, random: Random): Exchange {
  const count = randomInteger(random, 1, random() < 0.3 ? 12 : 3);
  const drawn = Array.from({ length: count }, (_, at) => drawPair(random, at));
  const partBytes = random() < 0.5 ? randomInteger(random, 50, 5_000) : Infinity;
  const isPipelined = random() < 0.5;
  return {
    name: `${name}: ${drawn.map(({ request }) => request.method).join(', ')}${isPipelined ? ', pipelined' : ''}`,
    requests: drawn.map(({ request }) => request),
    answers: drawn.map(({ spec }) => answer(spec)),
    visit: async (scene: Scene, requests: readonly Buffer[]) => {
      for (const [at, bytes] of (isPipelined ? [Buffer.concat(requests)] : requests).entries()) {
        await scene.sendInParts(bytes, Math.min(partBytes, bytes.length));
        await scene.answersArrive(isPipelined ? requests.length : at + 1);
      }
    },
  };
}

function drawPair(random: Random, at: number): { readonly request: RequestSpec; readonly spec: AnswerSpec } {
  const method = one(random, random() < 0.5 ? ['GET', 'POST', 'HEAD', 'PUT'] : METHODS_USED);
  const up = drawBody(random);
  const hasUpload = !['GET', 'HEAD'].includes(method) && random() < 0.7;
  const request: RequestSpec = {
    method,
    target: `/${at}?${'q'.repeat(randomInteger(random, 0, 50))}`,
    fields: drawFields(random),
    ...(hasUpload ? up : {}),
  };
  const interim = INTERIM.filter(() => random() < 0.1);
  const fields = drawFields(random);
  const common = { fields, interim, partBytes: randomInteger(random, 200, 20_000) };
  if (method === 'HEAD') return { request, spec: { ...common, status: one(random, STATUSES), framing: 'none' } };
  if (random() < 0.1) return { request, spec: { ...common, status: one(random, WITHOUT_BODY), framing: 'none' } };
  return { request, spec: { ...common, status: one(random, STATUSES), ...drawBody(random) } };
}

function drawBody(random: Random): Pick<AnswerSpec, 'body' | 'chunkBytes' | 'extension' | 'trailers'> & {
  readonly framing: 'length' | 'chunked';
} {
  const bytes = Math.floor(2 ** (random() * 16)) - 1;
  const body = patternBytes(randomInteger(random, 1, 5), randomInteger(random, 0, 1_000), bytes);
  if (random() < 0.5) return { body, framing: 'length' };
  return {
    body,
    framing: 'chunked',
    chunkBytes: Math.ceil((bytes + 1) / randomInteger(random, 1, 200)),
    extension: random() < 0.2 ? ';a="b"' : '',
    trailers: random() < 0.3 ? drawFields(random) : [],
  };
}

function drawFields(random: Random): readonly Field[] {
  return Array.from({ length: randomInteger(random, 0, 12) }, () => {
    const name = `${one(random, ['X-', 'x-', 'App-'])}${one(random, ['One', 'two', 'THREE', 'f_our'])}`;
    const value = Array.from({ length: randomInteger(random, 0, 40) }, () => drawCharacter(random)).join('');
    return [name, value.trim()] as const;
  });
}

/** Of latin1, mostly printable ASCII. */
function drawCharacter(random: Random): string {
  const isHigh = random() < 0.1;
  return String.fromCodePoint(isHigh ? randomInteger(random, 0xa1, 0xff) : randomInteger(random, 0x20, 0x7e));
}

function one<T>(random: Random, choices: readonly T[]): T {
  return choices[randomInteger(random, 0, choices.length - 1)]!;
}
