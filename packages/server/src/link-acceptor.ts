import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Claim,
  HandshakeError,
  MAX_HANDSHAKE_BYTES,
  MAX_RECORD_BYTES,
  type Message3Outcome,
  PROTOCOL_VERSION,
  Responder,
  TunnelError,
} from '@tunnel/shared';
import { monotonicNow, nodeCrypto, randomBytes, RecordLink, remoteAddressOf } from '@tunnel/shared/node';
import { type WebSocket, WebSocketServer } from 'ws';

/** Carries handshake messages 1 and 2 inside the WebSocket upgrade, in base64url. */
const HANDSHAKE_HEADER = 'tunnel-handshake';

/** A handshake has to end within this, in ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Messages 1 and 3 at their largest, with their WebSocket headers. */
const UNAUTHENTICATED_BYTES = 2 * (MAX_HANDSHAKE_BYTES + 14);

const EMPTY = new Uint8Array(0);

/** Links whose handshake is not done; at the bound new ones are told to come later. */
const UNAUTHENTICATED_LIMIT = 256;
const RETRY_AFTER_SECONDS = 2;

/** A link whose client proved who it is. Nothing was sent on it yet: it is accepted or refused next. */
export interface ClaimedLink {
  readonly records: RecordLink;
  readonly claim: Claim;
  /** The client's public key. */
  readonly clientKey: Uint8Array;
  /** Where the client comes from: address and port. */
  readonly address: string;
  /** From message 2 to message 3, in ms. */
  readonly roundTripMs: number;
}

export interface LinkAcceptorOptions {
  readonly identity: Uint8Array;
  /** What a client may have mixed in, in the order in which they are tried. */
  readonly psks: readonly Uint8Array[];
  readonly onClaim: (link: ClaimedLink) => void;
  readonly onFailure: (error: TunnelError, address: string) => void;
}

interface Handshake {
  readonly message1: Uint8Array;
  readonly responder: Responder;
  readonly message2: Uint8Array;
  /** Whether a version fits; else message 2 is all that is said. */
  readonly goesOn: boolean;
}

/** Takes WebSocket upgrades and brings each through the handshake. */
export class LinkAcceptor {
  readonly #options: LinkAcceptorOptions;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_RECORD_BYTES,
    skipUTF8Validation: true,
  });
  /** Message 2 of the upgrades that are being answered. */
  readonly #answers = new WeakMap<IncomingMessage, Uint8Array>();
  readonly #unauthenticated = new Set<WebSocket>();

  constructor(options: LinkAcceptorOptions) {
    this.#options = options;
    this.#webSockets.on('headers', (headers, request) => {
      const message2 = this.#answers.get(request);
      if (message2) headers.push(`${HANDSHAKE_HEADER}: ${Buffer.from(message2).toString('base64url')}`);
    });
    // Not a WebSocket request, or a broken one: `ws` answered it with 400.
    this.#webSockets.on('wsClientError', (error, socket, request) => {
      socket.destroy();
      this.#fail('it is no WebSocket request', request, error);
    });
  }

  /** For the `upgrade` event of an HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers.origin !== undefined) {
      refuseUpgrade(socket, '403 Forbidden');
      this.#fail('a browser (Origin header)', request);
      return;
    }
    if (this.#unauthenticated.size >= UNAUTHENTICATED_LIMIT) {
      refuseUpgrade(socket, '503 Service Unavailable', `Retry-After: ${RETRY_AFTER_SECONDS}\r\n`);
      this.#options.onFailure(new TunnelError('at-capacity', { detail: 'too many handshakes' }), addressOf(request));
      return;
    }
    const header = request.headers[HANDSHAKE_HEADER];
    let begun: Handshake | undefined;
    if (typeof header === 'string') {
      begun = this.#begin(Buffer.from(header, 'base64url'), request);
      if (!begun) {
        refuseUpgrade(socket, '400 Bad Request');
        return;
      }
      this.#answers.set(request, begun.message2);
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#shakeHands(webSocket, socket as Socket, request, begun);
    });
  }

  /** Ends all links whose handshake is not done. */
  close(): void {
    for (const webSocket of this.#unauthenticated) webSocket.terminate();
  }

  #shakeHands(webSocket: WebSocket, socket: Socket, request: IncomingMessage, begun: Handshake | undefined): void {
    let handshake = begun;
    let sentAt = monotonicNow();
    this.#unauthenticated.add(webSocket);
    const timer = setTimeout(() => fail('it took too long'), HANDSHAKE_TIMEOUT_MS);
    let receivedBytes = 0;
    const leave = (): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      this.#unauthenticated.delete(webSocket);
      webSocket.off('message', onMessage);
      webSocket.off('close', onClose);
    };
    const fail = (reason: string, cause?: unknown): void => {
      leave();
      webSocket.terminate();
      this.#fail(reason, request, cause);
    };
    const onClose = (): void => fail('the connection ended before it was done');
    // `ws` collects a message whole before it tells of it, up to the limit for records.
    const onData = (chunk: Buffer): void => {
      receivedBytes += chunk.length;
      if (receivedBytes > UNAUTHENTICATED_BYTES && this.#unauthenticated.has(webSocket)) fail('it is too long');
    };
    const onMessage = (data: Buffer, isBinary: boolean): void => {
      if (!isBinary) {
        fail('a text message');
        return;
      }
      if (handshake && Buffer.compare(data, handshake.message1) === 0) {
        // Something in between dropped the answer's header: message 2 is said again, once, as a message.
        handshake = { ...handshake, message1: EMPTY };
        webSocket.send(handshake.message2);
        return;
      }
      if (!handshake) {
        handshake = this.#begin(data, request);
        if (!handshake) {
          leave();
          webSocket.terminate();
          return;
        }
        sentAt = monotonicNow();
        webSocket.send(handshake.message2);
        if (!handshake.goesOn) finishWithoutVersion();
        return;
      }
      let outcome: Message3Outcome;
      try {
        outcome = handshake.responder.readMessage3(data, this.#options.psks);
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
        fail(error.message, error);
        return;
      }
      if (outcome.kind === 'unreadable') {
        fail('message 3 cannot be read');
        return;
      }
      leave();
      this.#conclude(outcome, webSocket, socket, request, monotonicNow() - sentAt);
    };
    const finishWithoutVersion = (): void => {
      leave();
      webSocket.close(1002);
      this.#options.onFailure(new TunnelError('version-unsupported'), addressOf(request));
    };
    webSocket.on('message', onMessage);
    webSocket.on('close', onClose);
    // After the listener of `ws`, which has read the chunk by then.
    socket.on('data', onData);
    // What it means is said by 'close', which follows.
    webSocket.on('error', () => {});
    if (handshake && !handshake.goesOn) finishWithoutVersion();
  }

  #conclude(
    outcome: Exclude<Message3Outcome, { kind: 'unreadable' }>,
    webSocket: WebSocket,
    socket: Socket,
    request: IncomingMessage,
    roundTripMs: number,
  ): void {
    const address = addressOf(request);
    if (outcome.kind === 'secret-refused') {
      webSocket.send(outcome.sealRefusal({ code: 'secret-refused', retryAfterMs: 0, detail: '' }));
      webSocket.close(1008);
      this.#options.onFailure(new TunnelError('secret-refused'), address);
      return;
    }
    const { claim, clientKey, transport } = outcome;
    const records = new RecordLink(webSocket, socket, transport);
    this.#options.onClaim({ records, claim, clientKey, address, roundTripMs });
  }

  /** Message 1 in, message 2 out; undefined, and told, where it is none. */
  #begin(message1: Uint8Array, request: IncomingMessage): Handshake | undefined {
    const responder = new Responder({ crypto: nodeCrypto, s: this.#options.identity, e: randomBytes(32) });
    try {
      const offer = responder.readMessage1(message1);
      const goesOn = offer.versions.includes(PROTOCOL_VERSION);
      const message2 = responder.message2({ version: goesOn ? PROTOCOL_VERSION : 0, features: 0 });
      return { message1, responder, message2, goesOn };
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      this.#fail(error.message, request, error);
      return undefined;
    }
  }

  #fail(detail: string, request: IncomingMessage, cause?: unknown): void {
    this.#options.onFailure(new TunnelError('handshake-failed', { detail, cause }), addressOf(request));
  }
}

function addressOf({ socket }: IncomingMessage): string {
  const address = remoteAddressOf(socket);
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
}

function refuseUpgrade(socket: Duplex, status: string, headers = ''): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${headers}\r\n`);
}
