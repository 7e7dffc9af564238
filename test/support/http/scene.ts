import { once } from 'node:events';
import { readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Condition } from '../condition.ts';
import type { Message } from './message.ts';
import { MessageReader } from './message-reader.ts';

/** For one wait, on a machine under load. */
const TIMEOUT_MS = 25_000;

/** What the service does when the head of a request is there. It need not wait for the body, nor answer. */
export type Answer = (turn: Turn) => void | Promise<void>;

/** One request at the service. */
export interface Turn {
  readonly scene: Scene;
  readonly socket: Socket;
  /** As far as it came. */
  readonly request: () => Message;
  /** Resolves once all of the request is there. */
  readonly whole: () => Promise<Message>;
  /** What came behind the request and is no other one. */
  readonly behind: () => Buffer;
}

/** A request that the service got. */
export interface ReceivedRequest {
  /** Which of the exchange's requests it is. */
  readonly index: number;
  readonly request: () => Message;
  /** It is whole, or its connection is gone. */
  readonly isSettled: () => boolean;
}

/** One exchange on its way, direct or through something: the visitor's connection, and what the service has of it. */
export class Scene implements AsyncDisposable {
  readonly answers: readonly Answer[];
  readonly socket: Socket;
  readonly received: ReceivedRequest[] = [];
  /** The service's connections that brought these, and are open. */
  readonly serviceSockets = new Set<Socket>();
  readonly #condition = new Condition(() => this.#describe());
  readonly #reader: MessageReader;
  #ending: 'end' | 'reset' | undefined;

  private constructor(socket: Socket, methods: readonly string[], answers: readonly Answer[]) {
    this.socket = socket;
    this.answers = answers;
    this.#reader = new MessageReader((index) => ({ answerTo: methods[index] ?? 'GET' }));
    const end = (ending: 'end' | 'reset'): void => {
      this.#ending ??= ending;
      this.#reader.end(this.#ending);
      this.changed();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.changed();
    });
    socket.on('end', () => end(realEnding(socket)));
    socket.on('error', () => end('reset'));
  }

  /** `methods`: of the requests that are to be sent, in their order. */
  static async begin(port: number, methods: readonly string[], answers: readonly Answer[]): Promise<Scene> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new Scene(socket, methods, answers);
  }

  get messages(): readonly Message[] {
    return this.#reader.complete;
  }

  /** The answer that is there in part. */
  get partial(): Message | undefined {
    return this.#reader.partial;
  }

  /** Bytes behind the last whole answer. */
  get rest(): Buffer {
    return this.#reader.rest;
  }

  get bytes(): Buffer {
    return this.#reader.bytes;
  }

  /** Undefined while the connection stands, as seen from the visitor. */
  get ending(): 'end' | 'reset' | undefined {
    return this.#ending;
  }

  /** Something happened on either side. */
  changed(): void {
    this.#condition.changed();
  }

  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Writes that arrive apart. */
  async sendInParts(bytes: Buffer, partBytes: number): Promise<void> {
    for (let start = 0; start < bytes.length; start += partBytes) {
      await writeAlone(this.socket, bytes.subarray(start, start + partBytes));
    }
  }

  /** Whole answers, those counted that are not final. */
  messagesArrive(count: number): Promise<void> {
    return this.until(`message ${count}`, () => this.messages.length >= count || this.#ending !== undefined);
  }

  /** Final answers; also resolves when no more can come. */
  answersArrive(count: number): Promise<void> {
    return this.until(`answer ${count}`, () => this.#reader.finalCount >= count || this.#ending !== undefined);
  }

  /** The head of an answer and this much of its body, or more. */
  bodyArrives(bytes: number): Promise<void> {
    const isMet = (): boolean => (this.partial?.body.length ?? -1) >= bytes || this.#ending !== undefined;
    return this.until(`${bytes} bytes of a body`, isMet);
  }

  ends(): Promise<void> {
    return this.until('the end of the connection', () => this.#ending !== undefined);
  }

  /** All of each request that the service got is there, or no more of it will come. */
  requestsSettle(): Promise<void> {
    return this.until('the rest of the requests', () => this.received.every(({ isSettled }) => isSettled()));
  }

  /** The service has no connection of this visitor left. */
  isLeft(): Promise<void> {
    return this.until('the end of the connections to the service', () => this.serviceSockets.size === 0);
  }

  async until(what: string, isMet: () => boolean): Promise<void> {
    await this.#condition.until(what, isMet, TIMEOUT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }

  #describe(): string {
    const shown = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', 0, 2_000));
    const requests = this.received.map(({ request }) => request().startLine);
    return `the visitor got ${shown(this.bytes)}, ending ${this.#ending}; the service got ${requests.join(', ') || 'nothing'}`;
  }
}

/** Node 20 tells a reset that arrives together with data as an end; the kernel says which it was when it is read once more. */
function realEnding(socket: Socket): 'end' | 'reset' {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  try {
    readSync(handle?.fd ?? -1, Buffer.alloc(1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return 'reset';
  }
  return 'end';
}

/** Writes, and waits until that went out and had time to arrive, so that what follows is read by itself. */
export async function writeAlone(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => socket.write(bytes, () => setImmediate(resolve)));
}
