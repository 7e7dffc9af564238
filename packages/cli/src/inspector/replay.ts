import { dialTarget, type ExchangeRecorder, type RecordedExchange, RequestObserver } from '@tunnel/client/internal';

/** For the whole answer. */
const TIMEOUT_MS = 60_000;

/** What is written in place of a visitor's address. */
const SENDER = 'inspector';

/** The service cannot be reached. */
export class ServiceUnreachable extends Error {}

/**
 * Sends a request straight to the service of an exchange, and records what becomes of it as another one. Resolves once it is
 * sent, with its id; undefined if it is not recorded. Throws `ServiceUnreachable`.
 */
export async function replay(
  recorder: ExchangeRecorder,
  { id: replayOf, origin: { target, host } }: RecordedExchange,
  request: Buffer,
): Promise<number | undefined> {
  const outcome = await dialTarget(target);
  if (outcome.kind === 'failed') throw new ServiceUnreachable(outcome.reason);
  const { socket } = outcome;
  let id: number | undefined;
  const stopWatching = recorder.watch({
    onChanged: (exchange) => (id ??= exchange.id),
    onDropped: () => {},
    onSkipped: () => {},
  });
  const observer = new RequestObserver({
    // The service may keep the connection for more requests, of which there are none.
    onExchange: () => socket.destroy(),
    recording: { recorder, origin: { target, address: SENDER, host, replayOf } },
  });
  const timer = setTimeout(() => socket.destroy(), TIMEOUT_MS);
  // Its 'close' follows.
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => observer.sent(chunk));
  socket.on('end', () => {
    observer.sentEnded();
    socket.destroy();
  });
  socket.once('close', () => {
    clearTimeout(timer);
    observer.closed();
  });
  observer.received(request);
  stopWatching();
  socket.write(request);
  return id;
}
