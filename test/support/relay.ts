import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Condition, defaultTimeoutMs } from './condition.ts';
import {
  Connection,
  directions,
  resetSocket,
  type BitFlip,
  type ConnectionOwner,
  type Direction,
} from './relay-connection.ts';
import type { CutEnding, Pipe } from './relay-pipe.ts';

export type { BitFlip, Direction } from './relay-connection.ts';
export type { CutEnding } from './relay-pipe.ts';

export interface RelayOptions {
  /** Where to listen; default 127.0.0.1 and a free port. */
  readonly host?: string;
  readonly port?: number;
  readonly targetHost?: string;
  readonly targetPort: number;
}

/** Which connections a setting is for: those there are, those to come, or (the default) all. */
export interface SettingScope {
  /** Default: both. */
  readonly direction?: Direction;
  readonly connections?: 'present' | 'future' | 'all';
}

export interface CutOptions {
  readonly direction: Direction;
  /** How many bytes still pass: from now on, or from the start of a connection to come. */
  readonly bytes: number;
  /** Cut the next so many connections; without it, those there are. */
  readonly next?: number;
  /** Default `reset`. */
  readonly ending?: CutEnding;
}

/** Returns what to forward instead of `chunk`, which may be changed in place; nothing goes on for an empty result. */
export type Transform = (direction: Direction, connectionIndex: number, chunk: Buffer) => Uint8Array;

/** What is in store for connections to come. */
interface Plan {
  connectionsLeft: number;
  apply(connection: Connection): void;
}

interface Answer {
  connectionsLeft: number;
  readonly bytes: Uint8Array;
}

interface Setting {
  delayMs: number;
  bytesPerSecond: number | undefined;
}

/** How often a port that the relay had before may still be taken when it listens again; each is one turn of `listen`. */
const maxListenAttempts = 20;

/**
 * A TCP relay in this process that can be as bad as a real network. Half-close, resets and backpressure are passed on.
 * What it cannot do: the kernels of both sides still acknowledge what a silent relay does not read, so silence is
 * noticed by missing data only, never by TCP; and a reset right behind data looks like an end to libuv, here (it is
 * then passed on as one) as in any other Node process.
 */
export class Relay implements AsyncDisposable {
  /** Sees every chunk of every connection as it comes in, after bit flips. */
  transform: Transform | undefined;
  readonly host: string;
  #port: number;
  #target: { host: string; port: number };
  #server: Server | undefined;
  #connectionCount = 0;
  #flipCount = 0;
  #refusing = false;
  #futureSilent = false;
  #answer: Answer | undefined;
  #plans: Plan[] = [];
  readonly #open = new Set<Connection>();
  /** Accepted while connections to come were to be silent: their target is dialed when the silence ends. */
  readonly #undialed = new Set<Connection>();
  readonly #forwardedBytes: Record<Direction, number> = { 'to-target': 0, 'to-client': 0 };
  readonly #future: Record<Direction, Setting> = {
    'to-target': { delayMs: 0, bytesPerSecond: undefined },
    'to-client': { delayMs: 0, bytesPerSecond: undefined },
  };
  readonly #condition: Condition = new Condition(() => this.#describe());
  readonly #owner: ConnectionOwner = {
    transform: (direction, index, chunk) => this.transform?.(direction, index, chunk) ?? chunk,
    forwarded: (direction, bytes) => {
      this.#forwardedBytes[direction] += bytes;
      this.#condition.changed();
    },
    flipped: () => {
      this.#flipCount++;
      this.#condition.changed();
    },
    closed: (connection) => {
      this.#open.delete(connection);
      this.#undialed.delete(connection);
      this.#condition.changed();
    },
  };

  /** Does not listen yet: use `startRelay`. */
  constructor(options: RelayOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.#target = { host: options.targetHost ?? '127.0.0.1', port: options.targetPort };
  }

  get port(): number {
    return this.#port;
  }

  /** Connections accepted since the start. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  get openConnectionCount(): number {
    return this.#open.size;
  }

  /** Bits flipped so far, to be sure that a test did what it meant to. */
  get flipCount(): number {
    return this.#flipCount;
  }

  /** Bytes forwarded since the start, over all connections. */
  forwardedBytes(direction: Direction): number {
    return this.#forwardedBytes[direction];
  }

  /** Where connections to come go. */
  retarget(targetPort: number, targetHost: string = this.#target.host): void {
    this.#target = { host: targetHost, port: targetPort };
  }

  /** Holds every byte, end and reset for `delayMs` one way. Order is kept when it changes. */
  delay(delayMs: number, scope: SettingScope = {}): void {
    this.#set(
      scope,
      (pipe) => (pipe.delayMs = delayMs),
      (setting) => (setting.delayMs = delayMs),
    );
  }

  /** Limits each connection to so many bytes a second and direction; `undefined` is no limit. */
  throttle(bytesPerSecond: number | undefined, scope: SettingScope = {}): void {
    this.#set(
      scope,
      (pipe) => (pipe.bytesPerSecond = bytesPerSecond),
      (setting) => (setting.bytesPerSecond = bytesPerSecond),
    );
  }

  /**
   * Moves nothing any more on the present connections, reads nothing, notices nothing. With `future`, connections to
   * come are accepted and left silent too; without, they work.
   */
  silence(options: { readonly direction?: Direction; readonly future?: boolean } = {}): void {
    if (options.future === true) this.#futureSilent = true;
    this.#eachPipe(options.direction, (pipe) => pipe.silence());
  }

  /** What was held back goes on its way, and so does what the two sides did meanwhile. */
  unsilence(): void {
    this.#futureSilent = false;
    for (const connection of this.#undialed) this.#connect(connection);
    this.#undialed.clear();
    this.#eachPipe(undefined, (pipe) => pipe.move());
  }

  /** Resets (RST) both sides of all present connections. */
  resetAll(): void {
    for (const connection of this.#open) connection.reset();
  }

  /** Ends (FIN) both sides of all present connections; what they still send is read and dropped. */
  endAll(): void {
    for (const connection of this.#open) connection.end();
  }

  /**
   * Lets exactly `bytes` pass in one direction, then resets (or ends, or silences) both sides. All of them arrive where
   * the receiving side reads.
   */
  cutAfter(options: CutOptions): void {
    const apply = (connection: Connection): void =>
      connection.pipe(options.direction)?.cutAfter(options.bytes, options.ending ?? 'reset');
    if (options.next !== undefined) this.#plans.push({ connectionsLeft: options.next, apply });
    else for (const connection of this.#open) apply(connection);
  }

  /** Flips one bit in each of the `next` connections (default 1). */
  flipBit(options: BitFlip & { readonly next?: number }): void {
    this.#plans.push({ connectionsLeft: options.next ?? 1, apply: (connection) => connection.flip(options) });
  }

  /**
   * Answers the `next` connections (default: all, until called with `undefined`) instead of the target: the bytes, then
   * FIN, as soon as an HTTP request's head has come. Delay, throttle and silence do not apply, nor are bytes counted.
   */
  answerWith(bytes: Uint8Array | undefined, options: { readonly next?: number } = {}): void {
    this.#answer = bytes === undefined ? undefined : { bytes, connectionsLeft: options.next ?? Infinity };
  }

  /** Accepts connections and resets them at once; counted, never dialed. */
  refuse(refusing = true): void {
    this.#refusing = refusing;
  }

  /** The port refuses connections from now on; present connections stay. */
  stopListening(): void {
    // The port is free when this returns; the server's own `close` event only comes after that of its connections.
    this.#server?.close();
    this.#server = undefined;
  }

  /** Listens on the same port as before. */
  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    for (let attempt = 1; ; attempt++) {
      const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
      server.on('connection', (socket) => this.#accept(socket));
      server.listen(this.#port, this.host);
      try {
        await once(server, 'listening');
      } catch (error) {
        // Somebody's outgoing connection may have borrowed the port meanwhile.
        if (attempt < maxListenAttempts && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
        throw error;
      }
      this.#port = (server.address() as AddressInfo).port;
      this.#server = server;
      return;
    }
  }

  /** Back to a perfect network: everything that was set, planned or silenced is undone. Cuts that are armed stay. */
  heal(): void {
    this.transform = undefined;
    this.#answer = undefined;
    this.#refusing = false;
    this.#plans = [];
    this.delay(0);
    this.throttle(undefined);
    this.unsilence();
  }

  /** Resolves once `count` connections were accepted since the start. */
  waitForConnection(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.#condition.until(`connection ${count}`, () => this.#connectionCount >= count, timeoutMs);
  }

  /** Resolves once `bytes` were forwarded in this direction since the start. */
  waitForBytes(direction: Direction, bytes: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    const isMet = (): boolean => this.#forwardedBytes[direction] >= bytes;
    return this.#condition.until(`${bytes} bytes ${direction}`, isMet, timeoutMs);
  }

  /** Resolves once no more than `count` connections are open. */
  waitForOpenConnections(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.#condition.until(`${count} open connections`, () => this.#open.size <= count, timeoutMs);
  }

  /** Stops listening, destroys all connections, and resolves when nothing is open. */
  async close(): Promise<void> {
    this.stopListening();
    for (const connection of this.#open) connection.destroy();
    await this.waitForOpenConnections(0);
    this.#condition.close('the relay was closed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    const connection = new Connection(this.#connectionCount++, socket, this.#owner);
    this.#open.add(connection);
    if (this.#refusing) resetSocket(socket);
    else if (this.#futureSilent) this.#undialed.add(connection);
    else this.#connect(connection);
    this.#condition.changed();
  }

  #connect(connection: Connection): void {
    if (this.#answer !== undefined && this.#answer.connectionsLeft > 0) {
      this.#answer.connectionsLeft--;
      connection.answer(this.#answer.bytes);
      return;
    }
    connection.connectTo(this.#target, (direction, pipe) => {
      pipe.delayMs = this.#future[direction].delayMs;
      pipe.bytesPerSecond = this.#future[direction].bytesPerSecond;
    });
    for (const plan of this.#plans) {
      plan.connectionsLeft--;
      plan.apply(connection);
    }
    this.#plans = this.#plans.filter((plan) => plan.connectionsLeft > 0);
  }

  #set(scope: SettingScope, present: (pipe: Pipe) => void, future: (setting: Setting) => void): void {
    const connections = scope.connections ?? 'all';
    if (connections !== 'future') this.#eachPipe(scope.direction, present);
    if (connections === 'present') return;
    for (const direction of directions) {
      if (scope.direction === undefined || scope.direction === direction) future(this.#future[direction]);
    }
  }

  #eachPipe(only: Direction | undefined, apply: (pipe: Pipe) => void): void {
    for (const connection of this.#open) {
      for (const direction of directions) {
        const pipe = connection.pipe(direction);
        if (pipe !== undefined && (only === undefined || only === direction)) apply(pipe);
      }
    }
  }

  #describe(): string {
    const { 'to-target': toTarget, 'to-client': toClient } = this.#forwardedBytes;
    return (
      `the relay accepted ${this.#connectionCount} connections, ${this.#open.size} are open, ` +
      `${toTarget} bytes went to the target and ${toClient} to the client`
    );
  }
}

/** Starts a relay on a free port of 127.0.0.1 (or as the options say). */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new Relay(options);
  await relay.listen();
  return relay;
}

/** The bytes of an HTTP/1.1 reply that closes the connection, for `answerWith`. */
export function httpReply(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Buffer {
  const fields = { connection: 'close', 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n${body}`);
}
