import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTunnelServer, type Server } from '@tunnel/server';
import { randomBytes } from '@tunnel/shared/node';
import { expect, test } from 'vitest';
import { type Echo, startEcho } from './echo.ts';
import { LinkWalk } from './link-walk.ts';
import type { VisitorOptions } from './visitor.ts';
import { checkStay, checkWayBack } from './way-back.ts';

const secret = 'a secret of the tests, long enough';

interface Scene extends AsyncDisposable {
  readonly server: Server;
  readonly walk: LinkWalk;
  readonly echo: Echo;
  readonly visitor: VisitorOptions;
}

/** An open tunnel of the doctor. */
async function openScene(): Promise<Scene> {
  const server = createTunnelServer({ host: '127.0.0.1', port: 0, identity: randomBytes(32), secret });
  const { port } = await server.start();
  const echo = await startEcho();
  const address = { secure: false, host: '127.0.0.1', port, path: '/' };
  const client = { server: address, tunnels: [], identity: randomBytes(32), secret };
  const walk = new LinkWalk({ client, target: echo.target, proxy: undefined, report: () => {} });
  walk.client.start();
  const tunnel = await walk.opened;
  if (!tunnel) throw new Error('the tunnel was not opened');
  const { signal } = new AbortController();
  return {
    server,
    walk,
    echo,
    visitor: { host: '127.0.0.1', port: tunnel.port ?? 0, token: echo.token, signal, timeoutMs: 5_000 },
    [Symbol.asyncDispose]: async () => {
      await walk.close();
      await echo[Symbol.asyncDispose]();
      server.abort();
    },
  };
}

test('link and visitor outlive an idle time', async () => {
  await using scene = await openScene();
  const step = await checkStay(scene.walk, scene.visitor, 300);
  expect(step).toMatchObject({ name: 'stay', state: 'ok' });
  expect(step.finding).toMatch(/^link and an idle visitor were still there; heartbeats took /);
});

test('a link that is cut meanwhile is a failure', async () => {
  await using scene = await openScene();
  const opened = new Promise((resolve) => scene.walk.client.once('stream', resolve));
  const staying = checkStay(scene.walk, scene.visitor, 60_000);
  await opened;
  scene.server.abort();
  const step = await staying;
  expect(step).toMatchObject({ name: 'stay', state: 'failed' });
  expect(['link-reset', 'link-closed', 'server-stopped']).toContain(step.trouble?.code);
});

test('an idle visitor that is cut is a warning', async () => {
  await using scene = await openScene();
  const sockets: Socket[] = [];
  const cutter = createServer((socket) => {
    const onward = connect(scene.visitor.port, '127.0.0.1');
    sockets.push(socket, onward);
    socket.pipe(onward).pipe(socket);
    // The answer to the token has arrived; from here on the visitor is idle.
    onward.once('data', () => setImmediate(() => socket.destroy()));
    for (const each of [socket, onward]) each.on('error', () => {});
  });
  cutter.listen(0, '127.0.0.1');
  await once(cutter, 'listening');
  const { port } = cutter.address() as AddressInfo;
  const step = await checkStay(scene.walk, { ...scene.visitor, port }, 300);
  for (const socket of sockets) socket.destroy();
  cutter.close();
  expect(step).toMatchObject({ name: 'stay', state: 'warning', trouble: { code: 'public-way-failed' } });
});

test('strangers get nothing from the echo', async () => {
  await using scene = await openScene();
  const { step } = await checkWayBack({ ...scene.visitor, token: randomBytes(32) });
  expect(step).toMatchObject({ state: 'failed', trouble: { code: 'public-way-failed' } });
  expect((await checkWayBack(scene.visitor)).step).toMatchObject({ state: 'ok' });
});
