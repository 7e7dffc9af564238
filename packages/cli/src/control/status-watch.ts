import { watchClient } from './control-connection.ts';
import { removeStalePlace, type SocketPlace } from './socket-place.ts';
import type { SurveyedClient } from '../reports/client-report.ts';
import { findPlaces, surveyed } from './survey.ts';

/** How often the directory is looked at, and the picture drawn, at least, in ms. */
const REDRAW_INTERVAL_MS = 1_000;

interface Watched {
  /** Undefined until it answered for the first time. */
  client: SurveyedClient | undefined;
  /** Undefined once it gave its last answer: then it is asked anew. */
  connection: Disposable | undefined;
}

/**
 * Follows all clients with a socket in a directory: `draw` is called once a second, and when a client comes, goes or changes
 * its state. Until `signal` is aborted. Throws `state-unusable`.
 */
export async function watchClients(
  directory: string,
  draw: (clients: readonly SurveyedClient[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const watched = new Map<string, Watched>();
  let wake: (() => void) | undefined;
  let drawn: string | undefined;

  const onAnswer = (place: SocketPlace, entry: Watched, answer: Parameters<typeof surveyed>[1]): void => {
    const wasKnown = entry.client !== undefined && entry.client.state !== 'unknown';
    entry.client = surveyed(place, answer);
    if (!('client' in answer)) entry.connection = undefined;
    // Who hangs up after answers has ended, as a rule. The next look tells, and asks it anew where it has not.
    if ('isGone' in answer || ('hasHungUp' in answer && wasKnown)) watched.delete(place.name);
    if ('isGone' in answer) void removeStalePlace(place);
    if (appearance(clientsOf(watched)) !== drawn) wake?.();
  };
  const look = async (): Promise<void> => {
    const places = await findPlaces(directory);
    const names = new Set(places.map(({ name }) => name));
    for (const [name, { connection }] of watched) if (!connection && !names.has(name)) watched.delete(name);
    for (const place of places) {
      const entry = watched.get(place.name) ?? { client: undefined, connection: undefined };
      watched.set(place.name, entry);
      entry.connection ??= watchClient(place, (answer) => onAnswer(place, entry, answer));
    }
  };
  const isFirstAnswerDue = (): boolean => [...watched.values()].some(({ client }) => client === undefined);

  const onAbort = (): void => wake?.();
  signal.addEventListener('abort', onAbort);
  try {
    let nextLookAt = 0;
    while (!signal.aborted) {
      if (performance.now() >= nextLookAt) {
        await look();
        nextLookAt = performance.now() + REDRAW_INTERVAL_MS;
      }
      // The first picture waits for everybody's first answer, but not for the one who does not answer.
      if (drawn !== undefined || !isFirstAnswerDue()) {
        const clients = clientsOf(watched);
        drawn = appearance(clients);
        draw(clients);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, nextLookAt - performance.now()));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = undefined;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const { connection } of watched.values()) connection?.[Symbol.dispose]();
  }
}

function clientsOf(watched: ReadonlyMap<string, Watched>): readonly SurveyedClient[] {
  return [...watched.values()].flatMap(({ client }) => client ?? []).toSorted((a, b) => a.pid - b.pid);
}

/** What makes a picture another one, and not only newer. */
function appearance(clients: readonly SurveyedClient[]): string {
  return JSON.stringify(
    clients.map((client) =>
      client.state === 'unknown'
        ? client
        : [client.pid, client.state, client.since, client.tunnels, client.nextAttempt?.attempt],
    ),
  );
}
