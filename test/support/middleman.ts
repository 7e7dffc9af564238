import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

/** Carries handshake messages 1 and 2 inside the upgrade, in base64url. */
export const HANDSHAKE_HEADER = 'tunnel-handshake';

/** What goes on instead of a message; nothing for undefined. `index` counts the messages of one direction of a link. */
export type Tamper = (message: Buffer, index: number, link: MiddlemanLink) => Uint8Array | undefined;

export interface MiddlemanLink {
  readonly client: WebSocket;
  readonly server: WebSocket;
}

/**
 * A reverse proxy between client and server that sees, and may change, every WebSocket message: somebody on the path who
 * knows the protocol, and no keys.
 */
export class Middleman implements AsyncDisposable {
  toServer: Tamper = (message) => message;
  toClient: Tamper = (message) => message;
  /** Sees message 2 before the client does. */
  message2: (message: Buffer) => Buffer = (message) => message;
  /** Both WebSockets are open, and nothing was passed on yet. */
  onLink: ((link: MiddlemanLink) => void) | undefined;
  linkCount = 0;
  readonly #http: Server;
  readonly #targetPort: number;
  readonly #webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false });
  readonly #sockets = new Set<Socket>();

  private constructor(http: Server, targetPort: number) {
    this.#http = http;
    this.#targetPort = targetPort;
    http.on('connection', (socket) => this.#own(socket));
    http.on('upgrade', (request, socket, head) => {
      // What cannot be passed on ends, as with any other reverse proxy.
      this.#pass(request, socket as Socket, head).catch(() => socket.destroy());
    });
  }

  static async start(targetPort: number): Promise<Middleman> {
    const http = createServer();
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new Middleman(http, targetPort);
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** An honest reverse proxy again. */
  behave(): void {
    this.toServer = this.toClient = (message) => message;
    this.message2 = (message) => message;
    this.onLink = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#http, 'close');
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #pass(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    this.linkCount += 1;
    const server = new WebSocket(`ws://127.0.0.1:${this.#targetPort}/`, {
      perMessageDeflate: false,
      headers: { [HANDSHAKE_HEADER]: request.headers[HANDSHAKE_HEADER] ?? '' },
    });
    server.on('error', () => {});
    server.once('unexpected-response', () => socket.destroy());
    let answer: IncomingMessage | undefined;
    server.once('upgrade', (upgrade) => (answer = upgrade));
    // Before the first message can be emitted, which would be lost.
    server.once('open', () => server.pause());
    await once(server, 'open');
    if (answer === undefined) throw new Error('a WebSocket without an answer');
    this.#own(answer.socket);
    const message2 = this.message2(Buffer.from(String(answer.headers[HANDSHAKE_HEADER]), 'base64url'));
    const addHeader = (headers: string[]): void => {
      headers.push(`${HANDSHAKE_HEADER}: ${message2.toString('base64url')}`);
    };
    this.#webSockets.once('headers', addHeader);
    this.#webSockets.handleUpgrade(request, socket, head, (client) => this.#join({ client, server }));
  }

  #join(link: MiddlemanLink): void {
    const { client, server } = link;
    client.on('error', () => {});
    this.onLink?.(link);
    const carry = (from: WebSocket, to: WebSocket, tamper: () => Tamper): void => {
      let index = 0;
      from.on('message', (message: Buffer, isBinary) => {
        const instead = tamper()(message, index, link);
        index += 1;
        if (instead !== undefined && to.readyState === to.OPEN) to.send(instead, { binary: isBinary });
      });
      from.on('close', () => to.terminate());
    };
    carry(client, server, () => this.toServer);
    carry(server, client, () => this.toClient);
    server.resume();
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
