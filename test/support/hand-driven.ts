import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  type Hello,
  decodeFrames,
  encodeAddresses,
  encodeFrame,
  ENDPOINT_KIND,
  formatPublicAddress,
  type Frame,
  Initiator,
  KNOWN_FEATURES,
  Responder,
  TunnelError,
  type Term,
} from '@tunnel/shared';
import { derivePsk, nodeCrypto, randomBytes, RecordLink } from '@tunnel/shared/node';
import { WebSocket, WebSocketServer } from 'ws';
import { Condition } from './condition.ts';
import { HANDSHAKE_HEADER } from './middleman.ts';
import { TEST_SECRET } from './pair.ts';

const HEARTBEAT_MS = { interval: 2_000, timeout: 8_000 };

/** Derived once: scrypt takes a tenth of a second. */
let testPsk: Promise<Uint8Array> | undefined;

/** One end of a link behind its handshake, which says what a test tells it to, allowed or not. It answers nothing. */
export class HandLink implements AsyncDisposable {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  /** All that came, in order, but for credit. */
  readonly frames: Frame[] = [];
  /** Resolves once the connection is gone, however. */
  readonly closed: Promise<void>;
  readonly #credits = new Map<number, number>();
  readonly #records: RecordLink;
  readonly #condition = new Condition(() => `frames so far: ${JSON.stringify(this.frames)}`);

  constructor(webSocket: WebSocket, socket: Socket, records: RecordLink) {
    this.webSocket = webSocket;
    this.socket = socket;
    this.#records = records;
    this.closed = socket.destroyed ? Promise.resolve() : closeOf(socket);
    void this.closed.then(() => this.#condition.close('the link is gone'));
    records.start({
      onRecord: (plaintext) => {
        for (const frame of decodeFrames(plaintext)) {
          if (frame.type === 'open') this.#credits.set(frame.streamId, frame.creditBytes);
          if (frame.type === 'credit') this.#credits.set(frame.streamId, frame.offset);
          else this.frames.push(frame);
        }
        this.#condition.changed();
      },
      onDrain: () => {},
      onEnd: () => {},
    });
  }

  /** One record of these frames. */
  send(...frames: readonly Frame[]): void {
    this.sendPlaintext(Buffer.concat(frames.map(encodeFrame)));
  }

  /** One record with whatever inside it. */
  sendPlaintext(plaintext: Uint8Array): void {
    this.#records.send([plaintext]);
  }

  /** Resolves with the first frame, past or to come, of this type that meets the predicate. */
  async waitFor<Type extends Frame['type']>(
    type: Type,
    predicate: (frame: Extract<Frame, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<Frame, { type: Type }>> {
    const find = (): Extract<Frame, { type: Type }> | undefined =>
      this.frames.find(
        (frame): frame is Extract<Frame, { type: Type }> =>
          frame.type === type && predicate(frame as Extract<Frame, { type: Type }>),
      );
    await this.#condition.until(`a frame ${type}`, () => find() !== undefined);
    return find() as Extract<Frame, { type: Type }>;
  }

  /** Up to which offset this end may send on the stream. */
  creditOf(streamId: number): number {
    return this.#credits.get(streamId) ?? 0;
  }

  /** Resolves once this end may send up to `offset` on the stream. */
  waitForCredit(streamId: number, offset: number): Promise<void> {
    return this.#condition.until(`credit up to ${offset}`, () => this.creditOf(streamId) >= offset);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.webSocket.terminate();
    await this.closed;
  }
}

/** Resolves with the end of a socket, after an error too, which `once` would reject with. */
export function closeOf(socket: Socket | WebSocket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A WebSocket to a server, paused. */
export async function openUpgrade(
  port: number,
  headers: Readonly<Record<string, string>> = {},
  localAddress?: string,
): Promise<{ readonly webSocket: WebSocket; readonly answer: IncomingMessage }> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/`, {
    perMessageDeflate: false,
    headers: { ...headers },
    ...(localAddress !== undefined && { localAddress }),
  });
  webSocket.on('error', () => {});
  let answer: IncomingMessage | undefined;
  webSocket.once('upgrade', (upgrade) => (answer = upgrade));
  webSocket.once('open', () => webSocket.pause());
  await once(webSocket, 'open');
  if (answer === undefined) throw new Error('a WebSocket without an answer');
  return { webSocket, answer };
}

/** A client that has done everything right up to here: its session is accepted. */
export async function connectByHand(
  port: number,
  hello: Partial<Hello> = {},
  { identity, localAddress }: { readonly identity?: Uint8Array; readonly localAddress?: string } = {},
): Promise<HandLink> {
  const initiator = newInitiator(identity);
  const message1 = Buffer.from(initiator.message1()).toString('base64url');
  const { webSocket, answer } = await openUpgrade(port, { [HANDSHAKE_HEADER]: message1 }, localAddress);
  initiator.readMessage2(Buffer.from(String(answer.headers[HANDSHAKE_HEADER]), 'base64url'));
  testPsk ??= derivePsk(TEST_SECRET);
  webSocket.send(initiator.message3(newClaim(hello), await testPsk));
  const link = new HandLink(
    webSocket,
    answer.socket,
    new RecordLink(webSocket, answer.socket, initiator.transport, 'client'),
  );
  await link.waitFor('accepted');
  return link;
}

export function newInitiator(identity: Uint8Array = randomBytes(32)): Initiator {
  const offer = { versions: [1], features: KNOWN_FEATURES };
  return new Initiator({ crypto: nodeCrypto, s: identity, e: randomBytes(32), offer });
}

function newClaim(hello: Partial<Hello>): Hello {
  return {
    instance: randomBytes(16),
    linkNumber: 1,
    heartbeatIntervalMs: HEARTBEAT_MS.interval,
    heartbeatTimeoutMs: HEARTBEAT_MS.timeout,
    agent: 'by hand',
    firstCreditBytes: 256 * 1024,
    firstCreditTotalBytes: 64 * 1024 * 1024,
    ...hello,
  };
}

/** A server that knows the secret of the tests. Each link is handed on right behind message 3: nothing is accepted yet. */
export interface HandServer extends AsyncDisposable {
  readonly port: number;
  /** Links so far. */
  readonly linkCount: number;
}

export async function startHandServer(onLink: (link: HandLink, hello: Hello) => void): Promise<HandServer> {
  testPsk ??= derivePsk(TEST_SECRET);
  const psk = await testPsk;
  const s = randomBytes(32);
  const http = createServer();
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  let linkCount = 0;
  http.on('upgrade', (request, socket, head) => {
    const responder = new Responder({ crypto: nodeCrypto, s, e: randomBytes(32) });
    responder.readMessage1(Buffer.from(String(request.headers[HANDSHAKE_HEADER]), 'base64url'));
    const message2 = Buffer.from(responder.message2({ version: 1, features: KNOWN_FEATURES })).toString('base64url');
    webSockets.once('headers', (headers: string[]) => headers.push(`${HANDSHAKE_HEADER}: ${message2}`));
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {});
      webSocket.once('message', (message3: Buffer) => {
        webSocket.pause();
        const outcome = responder.readMessage3(message3, [psk]);
        if (outcome.kind !== 'opened') throw new TunnelError('internal', { detail: `message 3 was ${outcome.kind}` });
        linkCount += 1;
        const records = new RecordLink(webSocket, socket as Socket, outcome.transport, 'server');
        onLink(new HandLink(webSocket, socket as Socket, records), outcome.hello);
      });
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    get linkCount() {
      return linkCount;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(http, 'close');
      http.close();
      for (const webSocket of webSockets.clients) webSocket.terminate();
      await closed;
    },
  };
}

/** Asks for a public port: this one, or any. */
export function tunnelRequest(
  tunnelId: number,
  {
    label = 'by hand',
    port,
    terms = [],
  }: { readonly label?: string; readonly port?: number; readonly terms?: readonly Term[] } = {},
): Extract<Frame, { type: 'tunnel-request' }> {
  return {
    type: 'tunnel-request',
    tunnelId,
    kind: ENDPOINT_KIND.tcp,
    name: port === undefined ? '' : String(port),
    label,
    terms,
  };
}

export function tunnelGrant(tunnelId: number, port = 4_000): Extract<Frame, { type: 'tunnel-granted' }> {
  const address = formatPublicAddress({ scheme: 'tcp', host: '', port });
  return { type: 'tunnel-granted', tunnelId, name: String(port), addresses: [address] };
}

export function portOf(grant: Extract<Frame, { type: 'tunnel-granted' }>): number {
  return Number(grant.name);
}

/** A visitor of a hand-driven server comes. */
export function streamOpen(streamId: number, tunnelId: number, takenBytes = 1_024): Extract<Frame, { type: 'open' }> {
  const attributes = encodeAddresses({ visitor: { address: '127.0.0.1', port: 1 } });
  return { type: 'open', streamId, tunnelId, creditBytes: 65_536, takenBytes, attributes };
}

/** What a server says first, for `send`. */
export function accepted(): Extract<Frame, { type: 'accepted' }> {
  return {
    type: 'accepted',
    sessionId: randomBytes(16),
    token: randomBytes(32),
    received: 0,
    next: 1,
    resumeWindowMs: 60_000,
    heartbeatIntervalMs: HEARTBEAT_MS.interval,
    heartbeatTimeoutMs: HEARTBEAT_MS.timeout,
    agent: 'by hand',
  };
}
