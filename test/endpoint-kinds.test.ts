// A second kind of endpoint: whatever sessions, links and clients do for ports, they do for Unix sockets of the server.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  admitConnection,
  type Choice,
  createServerWith,
  type EndpointKind,
  type OpenEndpoint,
  type VisitorHandlers,
  type Wish,
} from '@tunnel/server/internal';
import { TunnelError } from '@tunnel/shared';
import { randomBytes } from '@tunnel/shared/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startClient, TEST_SECRET } from './support/pair.ts';
import { startEcho } from './support/services.ts';

/** Sockets in a directory, under the numbers 1 to 9. Clients ask for them as for ports. */
class UnixSockets implements EndpointKind {
  readonly number = 1;
  readonly prefix = 'unix';
  readonly codes = { taken: 'port-in-use', notAllowed: 'port-not-allowed', unavailable: 'port-unavailable' } as const;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  requireTerms(): void {}

  choose({ wanted, clientKey, remembered = '1' }: Wish): Choice {
    if (wanted !== '' && !this.permits(wanted)) throw this.refusalOf(wanted, clientKey);
    if (wanted !== '') return { kind: 'one', name: wanted };
    const names = new Set([remembered, ...Array.from({ length: 9 }, (_, index) => `${index + 1}`)]);
    const candidates = [...names].map((name) => ({ name, takenFrom: 'nobody' as const }));
    return { kind: 'any', candidates, exhausted: () => new TunnelError('port-unavailable') };
  }

  permits(name: string): boolean {
    return /^[1-9]$/.test(name);
  }

  refusalOf(name: string, _clientKey: string): TunnelError {
    return new TunnelError('port-not-allowed', { detail: name });
  }

  isReserved(): boolean {
    return false;
  }

  open(name: string, handlers: VisitorHandlers): Promise<OpenEndpoint> {
    const path = join(this.#directory, name);
    const server = createServer({ allowHalfOpen: true }, (socket) =>
      admitConnection(handlers, socket, { address: '127.0.0.1', port: 1, destinationPort: 1 }),
    );
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () =>
        resolve({ addresses: [`tcp://sockets.test:${name}`], close: () => void server.close() }),
      );
    });
  }
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-kinds-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function startServerOfSockets(): Promise<{ port: number } & AsyncDisposable> {
  const options = { host: '127.0.0.1', port: 0, identity: randomBytes(32), secret: TEST_SECRET };
  const server = createServerWith([new UnixSockets(directory)], options);
  const { port } = await server.start();
  return { port, [Symbol.asyncDispose]: async () => server.abort() };
}

/** What comes back through a socket of the server. */
async function echoThrough(name: string, message: string): Promise<string> {
  const visitor = connect({ path: join(directory, name), allowHalfOpen: true }).setEncoding('utf8');
  visitor.end(message);
  let answer = '';
  for await (const chunk of visitor) answer += String(chunk);
  return answer;
}

test('visitors reach a service through a Unix socket of the server', async () => {
  await using service = await startEcho();
  await using server = await startServerOfSockets();
  await using client = await startClient(server.port, [service.port]);
  expect(client.ports).toEqual([1]);
  const message = 'x'.repeat(1_000_000);
  expect(await echoThrough('1', message)).toBe(message);
});

test('a socket has one holder, who gets it again', async () => {
  await using service = await startEcho();
  await using server = await startServerOfSockets();
  const identity = randomBytes(32);
  const first = await startClient(server.port, [service.port], { identity });
  await using second = await startClient(server.port, [service.port]);
  expect([...first.ports, ...second.ports]).toEqual([1, 2]);
  const tunnels = [{ target: { host: '127.0.0.1', port: service.port }, port: 1 }] as const;
  await using third = await startClient(server.port, [], { tunnels, waitsForReady: false });
  expect(await third.next('stopped')).toMatchObject({ code: 'port-in-use' });
  await first.client.stop();
  await expect.poll(() => readdir(directory)).toEqual(['2']);
  await using again = await startClient(server.port, [service.port], { identity });
  expect(again.ports).toEqual([1]);
});
