import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Condition } from './condition.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';

/** A service that keeps the bytes of requests as they arrive, and answers each once it ends as it is told that requests do. */
export class RawService implements AsyncDisposable {
  readonly #server: Server;
  readonly #condition = new Condition(() => `requests so far: ${JSON.stringify(this.requests.map(String))}`);
  readonly requests: Buffer[] = [];

  private constructor(end: string) {
    this.#server = createServer((socket) => this.#serve(socket, end));
  }

  /** `end`: the last bytes of every request. */
  static async start(end: string): Promise<RawService> {
    const service = new RawService(end);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The request that was the nth to arrive, from 0. */
  async request(index: number): Promise<Buffer> {
    await this.#condition.until(`request ${index}`, () => this.requests.length > index);
    return this.requests[index] ?? Buffer.alloc(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }

  #serve(socket: Socket, end: string): void {
    let data = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      data = Buffer.concat([data, chunk]);
      if (!data.subarray(-end.length).equals(Buffer.from(end, 'latin1'))) return;
      this.requests.push(data);
      data = Buffer.alloc(0);
      this.#condition.changed();
      socket.write(ANSWER);
    });
  }
}
