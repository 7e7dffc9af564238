import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { randomBytes } from '@tunnel/shared/node';

const TOKEN_BYTES = 32;

/**
 * A service in this process that echoes what it receives, but only to clients that start with its token, since the port
 * is public.
 */
export interface Echo extends AsyncDisposable {
  readonly target: { readonly host: string; readonly port: number };
  readonly token: Uint8Array;
}

export async function startEcho(): Promise<Echo> {
  const token = randomBytes(TOKEN_BYTES);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    echoAfter(token, socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    target: { host: '127.0.0.1', port },
    token,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function echoAfter(token: Uint8Array, socket: Socket): void {
  let begin = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    begin = Buffer.concat([begin, chunk]);
    if (begin.length < token.length) return;
    socket.off('data', onData);
    if (!timingSafeEqual(begin.subarray(0, token.length), token)) {
      socket.resetAndDestroy();
      return;
    }
    socket.write(begin);
    socket.pipe(socket);
  };
  socket.on('data', onData);
  socket.on('end', () => {
    if (begin.length < token.length) socket.end();
  });
}
