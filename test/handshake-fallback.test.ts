import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { type Direction, startRelay } from './support/relay.ts';
import { startEcho } from './support/services.ts';

/** A header name of the same length, so that nothing else moves. */
const HEADER = 'tunnel-handshake';
const DROPPED = 'x-dropped-header';

test.each<[string, Direction[]]>([
  ['the request', ['to-target']],
  ['the answer', ['to-client']],
  ['both', ['to-target', 'to-client']],
])('a proxy that drops the handshake header of %s costs a round trip, not the link', async (_which, directions) => {
  await using service = await startEcho();
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  let dropped = 0;
  relay.transform = (direction, _connection, chunk) => {
    const at = chunk.indexOf(HEADER);
    if (!directions.includes(direction) || at === -1) return chunk;
    dropped += 1;
    chunk.write(DROPPED, at);
    return chunk;
  };
  await using client = await startClient(relay.port, [service.port]);
  expect(client.ports).toHaveLength(1);
  expect(dropped).toBeGreaterThan(0);
});
