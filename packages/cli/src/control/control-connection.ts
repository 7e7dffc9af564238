import { connect } from 'node:net';
import { describeSystemError } from '@tunnel/shared/node';
import { ANSWER_TIMEOUT_MS, type Command, formatRequest, MAX_ANSWER_BYTES, parseAnswer } from './protocol.ts';
import type { ClientReport } from '../reports/client-report.ts';
import { openDoor, type SocketDoor, type SocketPlace } from './socket-place.ts';

/** What came of asking the process at a control socket. */
export type ControlAnswer =
  | { readonly client: ClientReport }
  /** It is there, and cannot be asked. */
  | { readonly problem: string }
  /** It ended the connection without an answer: it has as many as it takes, or is just ending. */
  | { readonly hasHungUp: true }
  /** Nobody listens there any more. */
  | { readonly isGone: true };

/** What a process does that cannot be asked, for people. */
export const NO_ANSWER = 'it does not answer';

const NOT_ITS_SOCKET = 'what is at the place of its socket is not what it made';

/** Asks once. Never fails. */
export function askClient(place: SocketPlace, command: Exclude<Command, 'watch'>): Promise<ControlAnswer> {
  return new Promise((resolve) => {
    // The first answer counts; after that the promise does not change.
    openConnection(place, command, resolve);
  });
}

/**
 * Has `onAnswer` told what a client is doing, again and again, until that is disposed of. An answer without a `client` is
 * the last one.
 */
export function watchClient(place: SocketPlace, onAnswer: (answer: ControlAnswer) => void): Disposable {
  return openConnection(place, 'watch', onAnswer);
}

function openConnection(place: SocketPlace, command: Command, onAnswer: (answer: ControlAnswer) => void): Disposable {
  let door: SocketDoor;
  try {
    door = openDoor(place);
  } catch (error) {
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const immediate = setImmediate(() => onAnswer(isGone ? { isGone } : { problem: NOT_ITS_SOCKET }));
    return { [Symbol.dispose]: () => clearImmediate(immediate) };
  }
  const socket = connect({ path: door.path });
  socket.once('close', () => door[Symbol.dispose]());
  let received = '';
  let isOver = false;
  const close = (): void => {
    isOver = true;
    socket.destroy();
  };
  const fail = (answer: ControlAnswer): void => {
    if (isOver) return;
    close();
    onAnswer(answer);
  };
  socket.setEncoding('utf8');
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => fail({ problem: NO_ANSWER }));
  socket.on('connect', () => socket.write(formatRequest(command)));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const { code = '' } = error;
    if (['ENOENT', 'ECONNREFUSED'].includes(code)) fail({ isGone: true });
    else if (['ECONNRESET', 'EPIPE'].includes(code)) fail({ hasHungUp: true });
    else fail({ problem: `it cannot be asked: ${describeSystemError(error)}` });
  });
  socket.on('close', () => fail({ hasHungUp: true }));
  socket.on('data', (text: string) => {
    const lines = (received + text).split('\n');
    received = lines.pop() ?? '';
    for (const line of lines) {
      if (isOver) return;
      const answer = parseAnswer(line);
      if (command === 'watch' && 'client' in answer) onAnswer(answer);
      else fail(answer);
    }
    if (received.length > MAX_ANSWER_BYTES) fail({ problem: 'its answer does not end' });
  });
  return { [Symbol.dispose]: close };
}
