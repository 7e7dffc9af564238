import type { Outcome } from './outcome.ts';
import type { SeenRequest } from './recording-service.ts';
import { readRequests, valuesOf } from './strict-reader.ts';

export interface Judgement {
  /** Never to be allowed. */
  readonly unsafe: readonly string[];
  /** What nginx does not pass on: each needs a reason. */
  readonly beyondNginx: readonly string[];
}

/** What a front says for itself. */
const OWN_FIELDS = new Set([
  'connection',
  'content-length',
  'forwarded',
  'te',
  'trailer',
  'transfer-encoding',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Compares what the service saw through a front with the letter of HTTP, and with what it saw through nginx. */
export function judge(front: Outcome, nginx: Outcome): Judgement {
  return {
    unsafe: [...faults(front), ...strangers(front), ...disorder(front, nginx)],
    beyondNginx: beyond(front, nginx),
  };
}

/** The bytes that a front sends have one meaning, and the service understood that one. */
function* faults({ connections, requests }: Outcome): Generator<string> {
  const readings = connections.map((bytes) => readRequests(bytes));
  for (const { fault } of readings) if (fault !== undefined) yield `what it passes on is out of order: ${fault}`;
  const read = readings.flatMap((reading) => reading.requests).map(summary);
  const seen = requests.filter(({ isComplete }) => isComplete).map(summary);
  if (read.toSorted().join('\n') !== seen.toSorted().join('\n')) {
    yield `two readers of what it passes on differ: ${seen.join(', ')} and ${read.join(', ')}`;
  }
}

/** Nothing that the visitor meant as a part of something else has become a request or a field. */
function* strangers({ requests }: Outcome): Generator<string> {
  for (const { target, fields } of requests) {
    if (target.includes('smuggled')) yield `a smuggled request: ${target}`;
    for (const name of ['host', 'content-length', 'transfer-encoding']) {
      if (valuesOf(fields, name).length > 1) yield `more than one ${name}`;
    }
  }
}

/** Answers come in the order of their requests: a visitor cannot tell by anything else which is which. */
function* disorder({ answered }: Outcome, nginx: Outcome): Generator<string> {
  let next = 0;
  for (const target of answered.filter((each) => nginx.answered.includes(each))) {
    next = nginx.answered.indexOf(target, next) + 1;
    if (next > 0) continue;
    yield `answers come as ${answered.join(' ')}`;
    return;
  }
}

function beyond(front: Outcome, nginx: Outcome): string[] {
  const differences: string[] = [];
  const passed = nginx.requests.filter(({ isComplete }) => isComplete);
  let next = 0;
  for (const request of front.requests) {
    if (!request.isComplete) {
      // A front that sees that a body ends badly has passed on the head; nginx has not if it saw that at once.
      if (nginx.requests.length === 0) differences.push(`it passes on the beginning of ${summary(request)}`);
      continue;
    }
    const at = passed.findIndex((other, index) => index >= next && summary(other) === summary(request));
    const other = passed[at];
    if (other === undefined) {
      differences.push(`it passes on ${summary(request)}`);
      continue;
    }
    next = at + 1;
    differences.push(...fieldsBeyond(request, other));
  }
  return differences;
}

function* fieldsBeyond(request: SeenRequest, other: SeenRequest): Generator<string> {
  for (const name of new Set(request.fields.map((field) => field[0].toLowerCase()))) {
    if (OWN_FIELDS.has(name)) continue;
    const [here, there] = [request.fields, other.fields].map((fields) =>
      valuesOf(fields, name).map(trimmed).join('; '),
    );
    if (here !== there) yield `it passes on ${name}: ${here}`;
  }
  if (request.trailers.length > 0) yield `it passes on trailers: ${request.trailers.map(([name]) => name).join(' ')}`;
}

function trimmed(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

function summary({ method, target, body }: Pick<SeenRequest, 'method' | 'target' | 'body'>): string {
  return `${method} ${target} ${JSON.stringify(body.toString('latin1'))}`;
}
