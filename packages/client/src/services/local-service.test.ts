import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { StreamPipe } from '@tunnel/shared/node';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { NameLookups } from '../dial/name-lookups.ts';
import type { LocalTarget } from '../options.ts';
import { LocalService, type LocalServiceOptions } from './local-service.ts';
import type { Visit } from './visitor-service.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

type Health = Parameters<LocalServiceOptions['onHealth']>[0];

function serviceAt(
  target: LocalTarget,
  options: Partial<LocalServiceOptions> = {},
): { readonly service: LocalService; readonly told: Health[] } {
  const told: Health[] = [];
  const service = new LocalService({
    target,
    isTls: false,
    idleTimeoutMs: undefined,
    waitMs: 0,
    onHealth: (report) => told.push(report),
    onIdle: () => {},
    onLoop: () => {},
    ...options,
  });
  open.push(service);
  return { service, told };
}

async function listening(port = 0): Promise<{ readonly server: Server; readonly port: number; accepted: number }> {
  const server = createServer();
  const listener = { server, port: 0, accepted: 0 };
  server.on('connection', (socket) => {
    listener.accepted += 1;
    socket.resume();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  return Object.assign(listener, { port: (server.address() as AddressInfo).port });
}

async function deadPort(): Promise<number> {
  const { server, port } = await listening();
  server.close();
  await once(server, 'close');
  return port;
}

/** A visitor; resolves with `served`, or the code of its reset. */
function visitTo(service: LocalService): Promise<string> {
  return new Promise((resolve) => {
    const pipe = {
      expectSocket: () => {},
      reset: (code: string) => resolve(code),
      attach: (socket: Socket) => {
        socket.destroy();
        resolve('served');
      },
    } as unknown as StreamPipe;
    const addresses = { address: '192.0.2.1', port: 1, destination: '', destinationPort: 2 };
    service.serve({ pipe, addresses, header: undefined, answers: () => Promise.resolve(true) } satisfies Visit);
  });
}

describe('a look at the target', () => {
  // Only Linux tells what is there.
  test.runIf(process.platform === 'linux')(
    'tells at once that nothing is there, and the visitors that follow do not have it told again',
    async () => {
      const { service, told } = serviceAt({ host: '127.0.0.1', port: await deadPort() });
      service.lookAtStart();
      await vi.waitFor(() => expect(told).toHaveLength(1));
      expect(told[0]).toMatchObject({ state: 'down', reason: 'connection refused', code: 'ECONNREFUSED', refused: 0 });
      expect(await visitTo(service)).toBe('service-unavailable');
      expect(told).toHaveLength(1);
    },
  );

  test.runIf(process.platform === 'linux')('asks again for the first visitor', async () => {
    const port = await deadPort();
    const { service, told } = serviceAt({ host: '127.0.0.1', port });
    service.lookAtStart();
    await vi.waitFor(() => expect(told).toHaveLength(1));
    await listening(port);
    expect(await visitTo(service)).toBe('served');
    expect(told.map(({ state }) => state)).toEqual(['down', 'up']);
  });

  test('makes no connection: the first one is a visitor’s', async () => {
    const listener = await listening();
    const { service, told } = serviceAt({ host: '127.0.0.1', port: listener.port });
    service.lookAtStart();
    expect(await visitTo(service)).toBe('served');
    expect([told, listener.accepted]).toEqual([[], 1]);
  });

  // On Windows a path is that of a pipe, which is not looked at.
  test.skipIf(process.platform === 'win32')(
    'leaves a service that visitors wait for as much time to come up',
    async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const { service, told } = serviceAt({ path: '/nowhere/app.sock' }, { waitMs: 5_000 });
        service.lookAtStart();
        await vi.advanceTimersByTimeAsync(4_999);
        expect(vi.getTimerCount()).toBe(1);
        await vi.advanceTimersByTimeAsync(1);
        vi.useRealTimers();
        await vi.waitFor(() => expect(told).toMatchObject([{ state: 'down', code: 'ENOENT' }]));
      } finally {
        vi.useRealTimers();
      }
    },
  );

  test.runIf(process.platform === 'linux')('names a port that only UDP has', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    open.push(socket);
    const { service, told } = serviceAt({ host: '127.0.0.1', port: socket.address().port });
    service.lookAtStart();
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told[0]?.reason).toBe('connection refused; only UDP has this port, and a tunnel carries TCP');
    expect(await visitTo(service)).toBe('service-unavailable');
    expect(told).toHaveLength(1);
  });
});

test('visitors of one service are served while the name of another one cannot be looked up', async () => {
  const silent = new NameLookups(() => new Promise(() => {}), 2);
  const lookup = (host: string) => silent.forTarget(host);
  const { port } = await listening();
  const web = serviceAt({ host: 'localhost', port }, { lookup });
  const db = serviceAt({ host: 'db.lan', port }, { lookup });
  const dbOutcomes: string[] = [];
  for (let index = 0; index < 6; index += 1) void visitTo(db.service).then((outcome) => dbOutcomes.push(outcome));
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => visitTo(web.service)));
  expect(outcomes).toEqual(Array.from({ length: 8 }, () => 'served'));
  expect([web.told, db.told, dbOutcomes]).toEqual([[], [], []]);
});
