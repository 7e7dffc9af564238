import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AFTER, type CorpusCase, get } from './corpus-case.ts';
import type { Front } from './front.ts';
import { describeOutcome, type Outcome } from './outcome.ts';
import { BARRIER_TARGET, SEEN_FIELD, type RecordingService } from './recording-service.ts';

/** How long to wait for the outcome that is on record, in ms. */
const RECORDED_MS = 10_000;
/** How long to look for more where none is on record, in ms. */
const UNRECORDED_MS = 3_000;
/** Round trips after which a front has dealt with what it got before. */
const BARRIERS = 2;

/**
 * Sends a case through a front, and tells what came of it. A front that neither closes the connection nor answers is left once it came to the
 * outcome that is on record.
 */
export async function exchange(
  entry: CorpusCase,
  front: Front,
  service: RecordingService,
  recorded: string | undefined,
): Promise<Outcome> {
  const { pieces, ends } = entry;
  service.forget();
  const socket = connect({ port: front.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const received: Buffer[] = [];
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    service.condition.changed();
  };
  socket.on('data', (chunk: Buffer) => {
    received.push(chunk);
    service.condition.changed();
  });
  socket.on('end', close);
  socket.on('close', close);
  // The connection was reset, which is one way to close it.
  socket.on('error', () => {});
  const outcome = (): Outcome => ({
    ...readAnswers(Buffer.concat(received).toString('latin1')),
    isClosed,
    ...service.record,
  });
  await once(socket, 'connect');

  for (const piece of ends ? pieces : [...pieces.slice(0, -1), `${pieces.at(-1)}${AFTER}`]) {
    socket.write(piece, 'latin1');
    await nextTurn();
  }
  if (ends) socket.end();
  await service.condition
    .until(
      'the outcome on record',
      () => isClosed || describeOutcome(entry, outcome()) === recorded,
      recorded === undefined ? UNRECORDED_MS : RECORDED_MS,
    )
    .catch(() => {});
  // More may be under way: what the front passed on, and answers to it.
  for (let count = 0; count < BARRIERS; count += 1) await passBarrier(front);
  const { statuses, answered, isClosed: wasClosed } = outcome();
  socket.destroy();
  await service.quiet();
  return { statuses, answered, isClosed: wasClosed, ...service.record };
}

async function passBarrier({ port }: Front): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(get(BARRIER_TARGET, 'Connection: close'));
  socket.resume();
  await once(socket, 'close');
}

/** All of them, interim ones too; the status is `0.9` for an answer without a head. */
function readAnswers(answers: string): Pick<Outcome, 'statuses' | 'answered'> {
  const statuses = [...answers.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status = '']) => status);
  const answered = [...answers.matchAll(new RegExp(`^${SEEN_FIELD}: (.*)\r$`, 'gm'))].map(([, target = '']) => target);
  return { statuses: statuses.length === 0 && answers !== '' ? ['0.9'] : statuses, answered };
}
