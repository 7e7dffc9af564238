import { createServer, type Socket } from 'node:net';
import { Condition } from '../condition.ts';
import { TcpService } from '../tcp-service.ts';
import { type Message, valuesOf } from './message.ts';
import { MessageReader } from './message-reader.ts';
import type { Scene } from './scene.ts';

/** The field that says which exchange, and which of its requests, a request belongs to: `17.0`. */
export const EXCHANGE_FIELD = 'X-Exchange';

/** An HTTP service without HTTP of its own: what it writes for a request is said by the exchange that the request names. */
export class ScriptedService implements AsyncDisposable {
  readonly #service: TcpService;
  readonly #scenes = new Map<string, Scene>();

  private constructor(service: TcpService) {
    this.#service = service;
  }

  static async start(): Promise<ScriptedService> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const service = new ScriptedService(await TcpService.start(server, {}));
    server.on('connection', (socket) => void new ServiceConnection(socket, service.#scenes).serve());
    return service;
  }

  get port(): number {
    return this.#service.port;
  }

  /** From now on, requests of this exchange are answered as the scene says. */
  play(exchange: number, scene: Scene): void {
    this.#scenes.set(String(exchange), scene);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#service.close();
  }
}

/** Answers the requests of one connection, one after the other. */
class ServiceConnection {
  readonly #socket: Socket;
  readonly #scenes: ReadonlyMap<string, Scene>;
  readonly #reader = new MessageReader(() => 'request');
  readonly #condition = new Condition(() => `${this.#reader.complete.length} requests came`);
  #scene: Scene | undefined;
  #hasEnded = false;

  constructor(socket: Socket, scenes: ReadonlyMap<string, Scene>) {
    this.#socket = socket;
    this.#scenes = scenes;
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#changed();
    });
    socket.on('end', () => this.#end());
    socket.on('close', () => {
      this.#end();
      this.#scene?.serviceSockets.delete(socket);
      this.#changed();
    });
  }

  async serve(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      await this.#until(() => this.#request(turn) !== undefined);
      if (this.#request(turn) === undefined) break;
      await this.#answer(turn);
      await this.#until(() => this.#reader.complete.length > turn);
      // What was sent behind an answer that ends the connection is read, and comes to nothing.
      if (this.#socket.writableEnded || this.#socket.destroyed) break;
      if (this.#hasEnded && this.#reader.complete.length <= turn + 1 && this.#reader.partial === undefined) break;
    }
    if (this.#socket.writable) this.#socket.end();
  }

  async #answer(turn: number): Promise<void> {
    const request = (): Message => this.#request(turn)!;
    const [tag = ''] = valuesOf(request().fields, EXCHANGE_FIELD.toLowerCase());
    const [exchange = '', index = ''] = tag.split('.');
    const scene = this.#scenes.get(exchange);
    if (scene === undefined) throw new Error(`a request of no exchange: ${request().startLine}, ${tag}`);
    this.#scene = scene;
    if (!this.#socket.destroyed) scene.serviceSockets.add(this.#socket);
    const isSettled = (): boolean => request().isComplete || this.#hasEnded;
    scene.received.push({ index: Number(index), request, isSettled });
    scene.changed();
    const whole = async (): Promise<Message> => {
      await this.#until(() => request().isComplete);
      return request();
    };
    const behind = (): Buffer => this.#reader.rest;
    await scene.answers[Number(index)]?.({ scene, socket: this.#socket, request, whole, behind });
  }

  /** As far as it came; undefined while its head is not there. */
  #request(turn: number): Message | undefined {
    const { complete, partial } = this.#reader;
    return complete[turn] ?? (complete.length === turn ? partial : undefined);
  }

  /** Also resolves when nothing more comes. */
  #until(isMet: () => boolean): Promise<void> {
    return this.#condition.until('a request', () => isMet() || this.#hasEnded, 60_000);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reader.end('end');
    this.#changed();
  }

  #changed(): void {
    this.#condition.changed();
    this.#scene?.changed();
  }
}
