// The service behind the tunnel, for all that visitors ask of it.
import { once } from 'node:events';
import { type AddressInfo, createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { writeBulk } from '../bulk-writer.ts';
import { serveCalls } from '../calls.ts';
import { COMMAND_BYTES, COMMANDS, READ_BUFFER } from '../commands.ts';

type State =
  | { readonly name: 'command'; read: number; readonly bytes: Buffer }
  | { readonly name: 'sink'; left: number }
  | { readonly name: 'echo' }
  | { readonly name: 'deaf' };

const open = new Set<Socket>();
let receivedBytes = 0;

/** An accepted socket reads into a buffer of its own for every chunk, unless its handle is given to one that does not. */
function withReadBuffer(accepted: Socket, onBytes: (socket: Socket, bytes: Buffer) => void): Socket {
  const holder = accepted as unknown as { _handle: object | null };
  const options = {
    handle: holder._handle,
    noDelay: true,
    onread: {
      buffer: READ_BUFFER,
      callback: (length: number) => {
        onBytes(socket, READ_BUFFER.subarray(0, length));
        return true;
      },
    },
  };
  holder._handle = null;
  const socket: Socket = new Socket(options as SocketConstructorOpts);
  socket.setNoDelay(true);
  socket.resume();
  return socket;
}

function serve(accepted: Socket): void {
  let state: State = { name: 'command', read: 0, bytes: Buffer.alloc(COMMAND_BYTES) };

  const obey = (socket: Socket, command: Buffer): State => {
    const count = Number(command.readBigUInt64BE(1));
    switch (command.toString('latin1', 0, 1)) {
      case COMMANDS.up:
        return { name: 'sink', left: count === 0 ? Infinity : count };
      case COMMANDS.down:
        writeBulk(socket, count);
        return { name: 'deaf' };
      case COMMANDS.echo:
        return { name: 'echo' };
      default:
        socket.write('1');
        return { name: 'deaf' };
    }
  };

  const receive = (socket: Socket, bytes: Buffer): void => {
    if (state.name === 'command') {
      const taken = bytes.copy(state.bytes, state.read);
      state.read += taken;
      if (state.read < COMMAND_BYTES) return;
      state = obey(socket, state.bytes);
      if (bytes.length > taken) receive(socket, bytes.subarray(taken));
    } else if (state.name === 'sink') {
      receivedBytes += bytes.length;
      state.left -= bytes.length;
      if (state.left <= 0) socket.write('1');
    } else if (state.name === 'echo') {
      socket.write(Buffer.from(bytes));
    }
  };

  const socket = withReadBuffer(accepted, receive);
  open.add(socket);
  // Visitors that break off are the rule here.
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  socket.on('close', () => open.delete(socket));
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, serve);

const calls = {
  async listen(): Promise<number> {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
  /** What bulk streams brought so far, and when that was. */
  received: () => ({ bytes: receivedBytes, atMs: performance.now() }),
  openCount: () => open.size,
};

export type ServiceCalls = typeof calls;

serveCalls(calls);
