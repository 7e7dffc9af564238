// A peer that causes events as fast as it can costs the other side few lines of its log.
import { once } from 'node:events';
import type { Frame } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { accepted, connectByHand, startHandServer, tunnelGrant, tunnelRequest } from './support/hand-driven.ts';
import { startClientProcess, startServerProcess } from './support/tunnel-processes.ts';

const SLOW = { timeout: 60_000 };

/** Frames that fit into one record with room to spare. */
const FRAMES_PER_RECORD = 1_000;

const NOTICES = 20_000;
const OPENINGS = 1_000;

function linesOf(text: string): number {
  return text.split('\n').length - 1;
}

test('a server that tells of refused visitors again and again', SLOW, async () => {
  await using server = await startHandServer((link) => {
    link.send(accepted());
    void link.waitFor('tunnel-request').then(() => {
      link.send(tunnelGrant(1, 4242));
      for (let sent = 0; sent < NOTICES; sent += FRAMES_PER_RECORD) {
        const counts = Array.from({ length: FRAMES_PER_RECORD }, (_, index) => sent + index + 1);
        link.send(...counts.map((denied): Frame => ({ type: 'visitors-refused', tunnelId: 1, denied, overLimit: 0 })));
      }
      link.send({ type: 'goodbye', code: 'stopped' });
    });
  });
  await using client = await startClientProcess(server.port, 3000, ['--no-reconnect']);
  await client.waitForEvent('stopped');
  await client.waitForExit();
  // Both the log and the events, which come with how many they stand for.
  expect(linesOf(client.stderr)).toBeLessThan(60);
  expect(client.events.length).toBeLessThan(60);
  expect(client.stderr).toContain(`"denied":${NOTICES},"overLimit":0,"repeats":`);
  expect(client.stdout).toContain(`"denied":${NOTICES},"overLimit":0,"repeats":`);
});

test('a client that opens and closes a tunnel again and again', SLOW, async () => {
  const { server, port } = await startServerProcess(['--port', '0']);
  await using _server = server;
  await using link = await connectByHand(port);
  for (let tunnelId = 1; tunnelId <= OPENINGS; tunnelId += 1) {
    link.send(tunnelRequest(tunnelId, { label: 'again' }));
    await link.waitFor('tunnel-granted', (grant) => grant.tunnelId === tunnelId);
    link.send({ type: 'tunnel-close', tunnelId, code: 'stopped' });
    link.frames.length = 0;
  }
  const closed = once(link.webSocket, 'close');
  server.kill();
  await closed;
  await server.waitForExit();
  expect(linesOf(server.stderr)).toBeLessThan(80);
  expect(server.stderr).toMatch(/"repeats":\d{3}/);
});
