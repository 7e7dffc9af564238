// A reset arrives as a reset, after all that came before it; never as a clean end. Both ways, and over links that break.
import { readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { VisitorHandler } from '@tunnel/client';
import { expect, test } from 'vitest';
import { startClient, startServer } from './support/pair.ts';
import { startRelay } from './support/relay.ts';
import { type Service, TcpService } from './support/tcp-service.ts';

const ROUNDS = 10;
const KB = 1000;

interface Ending {
  readonly bytes: number;
  readonly isReset: boolean;
}

/** Reads on to whatever end. Node 20 tells of some resets as of ends: another read knows better. */
function readAll(socket: Socket): Promise<Ending> {
  return new Promise((resolve) => {
    let bytes = 0;
    socket.on('data', ({ length }: Buffer) => (bytes += length));
    socket.once('end', () => {
      const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
      let isReset = false;
      try {
        readSync(fd, Buffer.alloc(1));
      } catch {
        isReset = true;
      }
      resolve({ bytes, isReset });
    });
    socket.once('close', () => resolve({ bytes, isReset: true }));
  });
}

function visitor(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  // Writes to one that has left.
  socket.on('error', () => {});
  return socket;
}

/** Says something once it was asked, and resets. */
function startResetting(bytes: number): Promise<Service> {
  return TcpService.listen({}, (socket) => {
    socket.once('data', () => socket.write(Buffer.alloc(bytes), () => socket.resetAndDestroy()));
  });
}

/** Takes a bit of what is sent, answers, and closes with the rest unread: the kernel makes a reset of that. */
function startRefusing(bytes: number): Promise<Service> {
  return TcpService.listen({}, (socket) => {
    socket.once('data', () => {
      socket.pause();
      socket.write(Buffer.alloc(bytes), () => socket.destroy());
    });
  });
}

/** Tells how each connection ended. */
async function startListening(): Promise<{ readonly service: Service; readonly next: () => Promise<Ending> }> {
  const told: Ending[] = [];
  const service = await TcpService.listen({}, (socket) => {
    void readAll(socket).then((ending) => {
      told.push(ending);
      service.condition.changed();
    });
  });
  return {
    service,
    next: async () => {
      await service.condition.until('an ending', () => told.length > 0);
      return told.shift()!;
    },
  };
}

test.each([300, 50 * KB])('a service that says %i bytes and resets', async (bytes) => {
  await using service = await startResetting(bytes);
  await using server = await startServer();
  await using client = await startClient(server.port, [service.port]);
  for (let round = 0; round < ROUNDS; round += 1) {
    const socket = visitor(client.port);
    socket.write('?');
    expect(await readAll(socket)).toEqual({ bytes, isReset: true });
  }
});

test.each([1000 * KB, 3000 * KB])('a service that answers in the middle of an upload of %i bytes', async (upload) => {
  await using service = await startRefusing(318);
  await using server = await startServer();
  await using client = await startClient(server.port, [service.port]);
  for (let round = 0; round < ROUNDS; round += 1) {
    const socket = visitor(client.port);
    socket.write(Buffer.alloc(upload));
    expect((await readAll(socket)).bytes).toBe(318);
    socket.destroy();
  }
});

test.each([300, 50 * KB])('a visitor who says %i bytes and resets', async (bytes) => {
  const { service, next } = await startListening();
  await using _service = service;
  await using server = await startServer();
  await using client = await startClient(server.port, [service.port]);
  for (let round = 0; round < ROUNDS; round += 1) {
    const socket = visitor(client.port);
    socket.write(Buffer.alloc(bytes), () => socket.resetAndDestroy());
    expect(await next()).toEqual({ bytes, isReset: true });
  }
});

test('a link that breaks between the bytes and the reset, both ways', async () => {
  const bytes = 50 * KB;
  await using resetting = await startResetting(bytes);
  const { service: listening, next } = await startListening();
  await using _listening = listening;
  await using server = await startServer();
  await using relay = await startRelay({ targetPort: server.port });
  await using client = await startClient(relay.port, [resetting.port, listening.port]);
  const answer = (port: number): Promise<Ending> => {
    const socket = visitor(port);
    socket.write('?');
    return readAll(socket);
  };
  const upload = (port: number): Promise<Ending> => {
    const socket = visitor(port);
    socket.write(Buffer.alloc(bytes), () => socket.resetAndDestroy());
    return next();
  };
  for (let round = 1; round <= 3; round += 1) {
    for (const [direction, talk, port] of [
      ['to-target', answer, client.ports[0]!],
      ['to-client', upload, client.ports[1]!],
    ] as const) {
      const resumed = server.log.waitForNext('client-resumed');
      relay.cutAfter({ direction, bytes: (bytes * round) / 4 });
      expect(await talk(port)).toEqual({ bytes, isReset: true });
      await resumed;
    }
  }
});

test('a function in this process that says something and resets, and one whose visitor does', async () => {
  const heard: Ending[] = [];
  let isDone = (): void => {};
  const resetting: VisitorHandler = (socket) => {
    socket.once('data', () => {
      socket.write(Buffer.alloc(900 * KB));
      socket.resetAndDestroy();
    });
  };
  const listening: VisitorHandler = async (socket) => {
    let bytes = 0;
    try {
      for await (const chunk of socket) bytes += chunk.length;
      heard.push({ bytes, isReset: false });
    } catch {
      heard.push({ bytes, isReset: true });
    }
    isDone();
  };
  await using server = await startServer();
  await using client = await startClient(server.port, [], { tunnels: [{ target: resetting }, { target: listening }] });
  for (let round = 0; round < ROUNDS; round += 1) {
    const asking = visitor(client.ports[0]!);
    asking.write('?');
    expect(await readAll(asking)).toEqual({ bytes: 900 * KB, isReset: true });
    const saying = visitor(client.ports[1]!);
    const done = new Promise<void>((resolve) => (isDone = resolve));
    saying.write(Buffer.alloc(50 * KB), () => saying.resetAndDestroy());
    await done;
    expect(heard.pop()).toEqual({ bytes: 50 * KB, isReset: true });
  }
});
