import { connect, type Socket } from 'node:net';
import { Pipe, type CutEnding, type PipeOwner } from './relay-pipe.ts';

/** `to-target` is what the connecting side sends, `to-client` what it receives. */
export type Direction = 'to-target' | 'to-client';

export const directions: readonly Direction[] = ['to-target', 'to-client'];

/** The opposite bit of one byte: `offset` counts from the start of the connection, `bit` 0 is the lowest. */
export interface BitFlip {
  readonly direction: Direction;
  readonly offset: number;
  readonly bit: number;
}

/** What a connection needs from its relay. */
export interface ConnectionOwner {
  transform(direction: Direction, connectionIndex: number, chunk: Buffer): Uint8Array;
  forwarded(direction: Direction, bytes: number): void;
  flipped(): void;
  closed(connection: Connection): void;
}

/** What a reply instead of the target waits for: the end of an HTTP request's head, this long at most. */
const maxRequestHeadBytes = 64 * 1024;

/** One accepted connection of a relay. */
export class Connection {
  readonly index: number;
  readonly #client: Socket;
  readonly #owner: ConnectionOwner;
  readonly #flips: BitFlip[] = [];
  readonly #receivedBytes: Record<Direction, number> = { 'to-target': 0, 'to-client': 0 };
  #target: Socket | undefined;
  #pipes: Record<Direction, Pipe> | undefined;
  #openSockets = 1;

  constructor(index: number, client: Socket, owner: ConnectionOwner) {
    this.index = index;
    this.#client = client;
    this.#owner = owner;
    this.#watch(client, 'to-target');
  }

  /** Dials the target; `configure` sees the pipes before the first byte moves. */
  connectTo(target: { host: string; port: number }, configure: (direction: Direction, pipe: Pipe) => void): void {
    if (this.#client.destroyed) return;
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.#target = socket;
    this.#openSockets++;
    this.#watch(socket, 'to-client');
    this.#pipes = {
      'to-target': new Pipe(this.#client, socket, this.#pipeOwner('to-target', socket)),
      'to-client': new Pipe(socket, this.#client, this.#pipeOwner('to-client', this.#client)),
    };
    for (const direction of directions) {
      const pipe = this.pipe(direction);
      if (pipe === undefined) continue;
      pipe.move();
      configure(direction, pipe);
    }
  }

  /** Answers the first request, or the end of the stream, with `bytes` and FIN; whatever else comes is read and dropped. */
  answer(bytes: Uint8Array): void {
    let head = '';
    const reply = (): void => {
      if (!this.#client.writableEnded) this.#client.end(bytes);
    };
    this.#client.on('data', (chunk: Buffer) => {
      if (this.#client.writableEnded) return;
      head += chunk.toString('latin1');
      if (head.includes('\r\n\r\n') || head.length > maxRequestHeadBytes) reply();
    });
    this.#client.on('end', reply);
    this.#client.resume();
  }

  /** `undefined` as long as the target has not been dialed. */
  pipe(direction: Direction): Pipe | undefined {
    return this.#pipes?.[direction];
  }

  flip(flip: BitFlip): void {
    this.#flips.push(flip);
  }

  silence(): void {
    for (const direction of directions) this.pipe(direction)?.silence();
  }

  /** Sends RST to both sides. */
  reset(): void {
    this.#discard();
    for (const socket of [this.#client, this.#target]) if (socket !== undefined) resetSocket(socket);
  }

  /** Sends FIN to both sides, and drops what they still send. */
  end(): void {
    this.#discard();
    this.#client.end();
    this.#target?.end();
    this.#client.resume();
  }

  destroy(): void {
    this.#discard();
    this.#client.destroy();
    this.#target?.destroy();
  }

  #discard(): void {
    for (const direction of directions) this.pipe(direction)?.discard();
  }

  /** `direction` is the one that this socket is the source of. */
  #watch(socket: Socket, direction: Direction): void {
    // What an error means is seen when the socket closes; without a listener it would end the process.
    socket.on('error', () => {});
    socket.on('close', (hadError) => {
      if (hadError) this.pipe(direction)?.passReset();
      this.#openSockets--;
      if (this.#openSockets === 0) this.#owner.closed(this);
    });
  }

  #pipeOwner(direction: Direction, destination: Socket): PipeOwner {
    return {
      received: (chunk) => {
        this.#flipBits(direction, chunk);
        return this.#owner.transform(direction, this.index, chunk);
      },
      forwarded: (bytes) => this.#owner.forwarded(direction, bytes),
      resetDestination: () => resetSocket(destination),
      cut: (ending) => this.#endAtCut(ending),
    };
  }

  #endAtCut(ending: CutEnding): void {
    if (ending === 'reset') this.reset();
    else if (ending === 'end') this.end();
    else this.silence();
  }

  #flipBits(direction: Direction, chunk: Buffer): void {
    const start = this.#receivedBytes[direction];
    this.#receivedBytes[direction] += chunk.length;
    for (const flip of this.#flips) {
      const index = flip.offset - start;
      const byte = chunk[index];
      if (flip.direction !== direction || byte === undefined) continue;
      chunk[index] = byte ^ (1 << flip.bit);
      this.#owner.flipped();
    }
  }
}

/** Closes with RST, where the state of the socket allows it. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // libuv refuses to reset a connection whose FIN is still queued, and Node then never closes it.
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
