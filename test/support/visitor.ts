import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Condition, defaultTimeoutMs } from './condition.ts';
import { PatternChecker } from './pattern.ts';
import { patternStream } from './services.ts';

export interface VisitOptions {
  readonly host?: string;
  /** The visitor's own address; default what the system chooses. */
  readonly from?: string;
  /** What comes in is checked against the pattern of this seed. */
  readonly seed?: number;
}

/** A connection to a public port, as a program of a visitor's would have it: half-open allowed, nothing sent by itself. */
export class Visitor implements AsyncDisposable {
  readonly socket: Socket;
  readonly checker: PatternChecker | undefined;
  readonly #condition = new Condition(() => `${this.#receivedBytes} bytes came, the ending is ${this.#ending}`);
  readonly #hash: Hash = createHash('sha256');
  #receivedBytes = 0;
  #ending: string | undefined;

  /** Use `visit`. */
  constructor(socket: Socket, { seed }: VisitOptions) {
    this.socket = socket;
    this.checker = seed === undefined ? undefined : new PatternChecker(seed);
    const endAs = (ending: string): void => {
      this.#ending ??= ending;
      this.#condition.changed();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#receivedBytes += chunk.length;
      if (this.checker) this.checker.update(chunk);
      else this.#hash.update(chunk);
      this.#condition.changed();
    });
    socket.on('end', () => endAs('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => endAs(error.code ?? error.message));
    socket.on('close', () => endAs('close'));
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** `end` for a clean one, or an error's code; undefined while bytes may still come. */
  get ending(): string | undefined {
    return this.#ending;
  }

  /** SHA-256 of all that came, in hex; only without a seed, and once. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  /** Writes `bytes` bytes of a pattern as fast as they are taken, and, unless told not to, the end. */
  async send(seed: number, bytes: number, { ends = true }: { readonly ends?: boolean } = {}): Promise<void> {
    const stream = patternStream(seed, bytes);
    const done = once(stream, 'end');
    stream.pipe(this.socket, { end: ends });
    await done;
  }

  waitForBytes(count: number, timeoutMs: number = defaultTimeoutMs): Promise<void> {
    return this.#condition.until(`${count} bytes`, () => this.#receivedBytes >= count, timeoutMs);
  }

  async waitForEnding(timeoutMs: number = defaultTimeoutMs): Promise<string> {
    await this.#condition.until('an ending', () => this.#ending !== undefined, timeoutMs);
    return this.#ending ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }
}

/** Connects. Rejects where nobody listens. */
export async function visit(port: number, options: VisitOptions = {}): Promise<Visitor> {
  const { host = '127.0.0.1', from } = options;
  const localAddress = from === undefined ? {} : { localAddress: from };
  const socket = connect({ port, host, ...localAddress, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return new Visitor(socket, options);
}

/** Says something, and tells what became of it: the answer, or how the connection ended. */
export async function answerTo(port: number, message: string, options: VisitOptions = {}): Promise<string> {
  const { host = '127.0.0.1', from } = options;
  const socket = connect({ port, host, ...(from === undefined ? {} : { localAddress: from }) });
  const answer = await new Promise<string>((resolve) => {
    socket.once('data', (data) => resolve(data.toString()));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('end', () => resolve('end'));
    socket.write(message);
  });
  socket.destroy();
  return answer;
}

/** Whether a visitor who says something is answered, rather than turned away. */
export async function isAnswered(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write('hello');
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  socket.destroy();
  return answered;
}

/** Ms that it takes to get all that a source of this seed sends through a public port. */
export async function timeDownload(port: number, seed: number, bytes: number): Promise<number> {
  const beganMs = performance.now();
  await using visitor = await visit(port, { seed });
  const ending = await visitor.waitForEnding(60_000);
  if (ending !== 'end') throw new Error(`a download ended with ${ending}`);
  visitor.checker?.expectEnd(bytes);
  return performance.now() - beganMs;
}
