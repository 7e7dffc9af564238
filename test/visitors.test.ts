// What a visitor and a service see of each other through a tunnel: ends as ends, resets as resets.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { expectNothingLeftOpen } from './support/open-handles.ts';
import { startClient, startServer } from './support/pair.ts';
import { patternBytes, startEcho, startHalfCloseService } from './support/services.ts';
import { receiveAll, TcpService } from './support/tcp-service.ts';
import { isAnswered, visit } from './support/visitor.ts';

const MiB = 1024 * 1024;

function sha256(seed: number, bytes: number): string {
  return createHash('sha256')
    .update(patternBytes(seed, 0, bytes))
    .digest('hex');
}

describe('a service that is not there', () => {
  test('costs the visitor a reset, and the tunnel nothing', async () => {
    await expectNothingLeftOpen(async () => {
      const gone = await startEcho();
      await gone.close();
      await using server = await startServer();
      await using client = await startClient(server.port, [gone.port]);
      for (let count = 0; count < 20; count += 1) {
        await using visitor = await visit(client.port);
        visitor.socket.write('hello');
        expect(await visitor.waitForEnding()).toBe('ECONNRESET');
      }
      expect(client.log.all('service').map(({ event: { state } }) => state)).toEqual(['down']);
      expect(client.log.all('service')[0]?.event.code).toBe('ECONNREFUSED');
      await using _back = await startEcho({ port: gone.port });
      // While it is known to be down, visitors may be turned away without asking it.
      await expect.poll(() => isAnswered(client.port), { timeout: 15_000 }).toBe(true);
      expect(client.log.names.filter((name) => name !== 'service')).toEqual(['ready']);
      expect(client.log.all('service').at(-1)?.event.state).toBe('up');
    });
  });
});

describe('a reset', () => {
  test('of the service reaches the visitor', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using client = await startClient(server.port, [service.port]);
    await using visitor = await visit(client.port);
    visitor.socket.write('hello');
    await visitor.waitForBytes(5);
    service.resetAll();
    expect(await visitor.waitForEnding()).toBe('ECONNRESET');
    expect(client.log.names).toEqual(['ready']);
  });

  test('of the visitor reaches the service', async () => {
    const endings: string[] = [];
    await using service = await TcpService.listen({}, (socket) => {
      socket.pipe(socket);
      receiveAll(socket, ({ ending }) => endings.push(ending));
    });
    await using server = await startServer();
    await using client = await startClient(server.port, [service.port]);
    for (const [index, bytes] of [1, 1_000, MiB].entries()) {
      await using visitor = await visit(client.port);
      await visitor.send(1, bytes, { ends: false });
      // All of it was read everywhere: a reset right behind data looks like an end to libuv.
      await visitor.waitForBytes(bytes);
      visitor.socket.resetAndDestroy();
      await service.waitForOpenConnections(0);
      expect(endings[index]).toBe('reset');
    }
  });

  test('touches no other visitor', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using client = await startClient(server.port, [service.port]);
    await using other = await visit(client.port, { seed: 3 });
    const sent = other.send(3, 16 * MiB);
    for (let count = 0; count < 20; count += 1) {
      await using visitor = await visit(client.port);
      visitor.socket.write('hello');
      await visitor.waitForBytes(5);
      visitor.socket.resetAndDestroy();
    }
    await sent;
    expect(await other.waitForEnding()).toBe('end');
    other.checker?.expectEnd(16 * MiB);
  });
});

describe('half-close', () => {
  test('by the visitor first: the whole answer still comes', async () => {
    await expectNothingLeftOpen(async () => {
      await using service = await startHalfCloseService('read-first');
      await using server = await startServer();
      await using client = await startClient(server.port, [service.port]);
      await using visitor = await visit(client.port);
      let answer = '';
      visitor.socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      await visitor.send(5, 3 * MiB + 1);
      expect(await visitor.waitForEnding()).toBe('end');
      expect(answer).toBe(`${sha256(5, 3 * MiB + 1)} ${3 * MiB + 1}\n`);
      expect((await service.waitForReceived()).ending).toBe('end');
      await service.waitForOpenConnections(0);
    });
  });

  test('by the service first: the whole upload still arrives', async () => {
    await expectNothingLeftOpen(async () => {
      await using service = await startHalfCloseService('write-first', { seed: 6, bytes: 2 * MiB + 3 });
      await using server = await startServer();
      await using client = await startClient(server.port, [service.port]);
      await using visitor = await visit(client.port, { seed: 6 });
      expect(await visitor.waitForEnding()).toBe('end');
      visitor.checker?.expectEnd(2 * MiB + 3);
      expect(service.received).toEqual([]);
      await visitor.send(7, 3 * MiB);
      expect(await service.waitForReceived()).toEqual({ bytes: 3 * MiB, sha256: sha256(7, 3 * MiB), ending: 'end' });
      await service.waitForOpenConnections(0);
    });
  });

  test('at once, without a byte: both ends are ends', async () => {
    await using service = await startEcho();
    await using server = await startServer();
    await using client = await startClient(server.port, [service.port]);
    for (let count = 0; count < 20; count += 1) {
      await using visitor = await visit(client.port);
      visitor.socket.end();
      expect(await visitor.waitForEnding()).toBe('end');
    }
    await service.waitForOpenConnections(0);
  });
});
