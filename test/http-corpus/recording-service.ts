import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Condition } from '../support/condition.ts';
import { TcpService } from '../support/tcp-service.ts';
import type { Field } from './strict-reader.ts';

/** Asked for to learn that a front has dealt with all that came before; it is never on record. */
export const BARRIER_TARGET = '/barrier';

/** An answer tells which request it is for. */
export const SEEN_FIELD = 'Seen';

/** So much of its target, in characters. */
const TARGET_LIMIT = 100;

/** More than any front passes on: what is too long is refused by the front. */
const MAX_HEADER_BYTES = 1 << 20;

/** A request as Node's parser understands it. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  /** The last byte of the body came. */
  readonly isComplete: boolean;
}

/** What reached the service in one case. */
export interface ServiceRecord {
  /** In the order of their heads. */
  readonly requests: readonly SeenRequest[];
  /** The bytes of each connection. */
  readonly connections: readonly Buffer[];
}

/** As an answer tells it. */
export function seenTarget(target: string): string {
  return target.slice(0, TARGET_LIMIT);
}

/** The service behind all fronts. It answers a request when its body is complete, knows no upgrades, and keeps what came. */
export class RecordingService implements AsyncDisposable {
  readonly #service: TcpService;
  #requests: SeenRequest[] = [];
  #connections: Buffer[][] = [];

  private constructor(server: Server, service: TcpService) {
    this.#service = service;
    server.on('connection', (socket: Socket) => {
      const chunks: Buffer[] = [];
      this.#connections.push(chunks);
      // The parser gets the same bytes.
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    });
    server.on('request', (request, response) => {
      this.#record(request, () => response.setHeader(SEEN_FIELD, seenTarget(request.url ?? '')).end('seen'));
    });
  }

  static async start(): Promise<RecordingService> {
    const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, insecureHTTPParser: false, keepAliveTimeout: 0 });
    server.maxHeadersCount = 0;
    return new RecordingService(server, await TcpService.start(server, {}));
  }

  get port(): number {
    return this.#service.port;
  }

  get condition(): Condition {
    return this.#service.condition;
  }

  get record(): ServiceRecord {
    const connections = this.#connections.map((chunks) => Buffer.concat(chunks));
    return {
      requests: this.#requests.filter(({ target }) => target !== BARRIER_TARGET),
      connections: connections.filter((bytes) => !bytes.toString('latin1').startsWith(`GET ${BARRIER_TARGET} `)),
    };
  }

  /** Resolves once nobody is connected: what came before then is all that comes. */
  quiet(): Promise<void> {
    return this.#service.waitForOpenConnections(0);
  }

  forget(): void {
    this.#requests = [];
    this.#connections = [];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#service.close();
  }

  #record(request: IncomingMessage, answer: () => void): void {
    const chunks: Buffer[] = [];
    const { method = '', url: target = '', rawHeaders } = request;
    this.#requests.push({
      method,
      target,
      fields: pairs(rawHeaders),
      get body() {
        return Buffer.concat(chunks);
      },
      get trailers() {
        return pairs(request.rawTrailers);
      },
      get isComplete() {
        return request.complete;
      },
    });
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      this.condition.changed();
    });
    request.on('end', () => {
      answer();
      this.condition.changed();
    });
    // A body that the parser cannot read, or that is cut off; the record has it as incomplete.
    request.on('error', () => {});
    this.condition.changed();
  }
}

/** `rawHeaders` has names and values in turn. */
function pairs(rawHeaders: readonly string[]): Field[] {
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : []));
}
