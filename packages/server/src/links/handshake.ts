import type { Socket } from 'node:net';
import {
  HandshakeError,
  KNOWN_FEATURES,
  MAX_HANDSHAKE_BYTES,
  type Message3Outcome,
  PROTOCOL_VERSION,
  type Psk,
  Responder,
  TunnelError,
} from '@tunnel/shared';
import { monotonicNow, nodeCrypto, randomBytes } from '@tunnel/shared/node';
import type { WebSocket } from 'ws';

/** A handshake must end within this, in ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** How long a client has to receive the answer that no version fits, in ms. */
const CLOSE_GRACE_MS = 1_000;

/** The largest messages 1 and 3 with their WebSocket headers. */
export const UNAUTHENTICATED_BYTES = 2 * (MAX_HANDSHAKE_BYTES + 14);

const EMPTY = new Uint8Array(0);

/** The result of message 1. */
export interface BegunHandshake {
  readonly message1: Uint8Array;
  readonly responder: Responder;
  readonly message2: Uint8Array;
  /** Whether a version fits; if not, message 2 is the last one. */
  readonly goesOn: boolean;
}

/** Message 1 in, message 2 out. Throws `HandshakeError`. */
export function beginHandshake(identity: Uint8Array, message1: Uint8Array): BegunHandshake {
  const responder = new Responder({ crypto: nodeCrypto, s: identity, e: randomBytes(32) });
  const offer = responder.readMessage1(message1);
  const goesOn = offer.versions.includes(PROTOCOL_VERSION);
  const message2 = responder.message2({
    version: goesOn ? PROTOCOL_VERSION : 0,
    features: (offer.features & KNOWN_FEATURES) >>> 0,
  });
  return { message1, responder, message2, goesOn };
}

export interface HandshakeOptions {
  readonly identity: Uint8Array;
  readonly psks: readonly Psk[];
  /** Message 3 was read; the WebSocket is the caller's again. `roundTripMs` is from message 2 to message 3. */
  readonly onOutcome: (outcome: Exclude<Message3Outcome, { kind: 'unreadable' }>, roundTripMs: number) => void;
  /** The handshake failed; the WebSocket is closed. */
  readonly onFailure: (error: TunnelError) => void;
}

/** The server's side of one handshake, over an open WebSocket. */
export class ServerHandshake {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #options: HandshakeOptions;
  readonly #timer: NodeJS.Timeout;
  /** Undefined until message 1, which may come with the upgrade request. */
  #begun: BegunHandshake | undefined;
  #message2SentAt = monotonicNow();
  #receivedBytes = 0;
  #isSettled = false;

  /** Attaches its listeners at once, so that nothing that follows the upgrade in the same packet is lost. */
  constructor(webSocket: WebSocket, socket: Socket, begun: BegunHandshake | undefined, options: HandshakeOptions) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#begun = begun;
    this.#options = options;
    this.#timer = setTimeout(() => this.fail('it took too long'), HANDSHAKE_TIMEOUT_MS);
    webSocket.on('message', this.#onMessage);
    webSocket.on('close', this.#onClose);
    // The 'close' that follows says what it means.
    webSocket.on('error', () => {});
    // Runs after the listener of `ws`, which has read the chunk by then.
    socket.on('data', this.#onData);
    if (begun && !begun.goesOn) this.#endWithoutVersion();
  }

  /** Ends it silently, since the other side has proven nothing. */
  fail(reason: string, cause?: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#webSocket.terminate();
    this.#options.onFailure(new TunnelError('handshake-failed', { detail: reason, cause }));
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData);
    this.#webSocket.off('message', this.#onMessage);
    this.#webSocket.off('close', this.#onClose);
  }

  readonly #onClose = (): void => this.fail('the connection ended before it was done');

  /** `ws` buffers a whole message before it emits it, up to the limit for records. */
  readonly #onData = (chunk: Buffer): void => {
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > UNAUTHENTICATED_BYTES) this.fail('it is too long');
  };

  readonly #onMessage = (data: Buffer, isBinary: boolean): void => {
    try {
      if (!isBinary) this.fail('a text message');
      else if (!this.#begun) this.#answer(beginHandshake(this.#options.identity, data));
      else if (Buffer.compare(data, this.#begun.message1) === 0) this.#answer({ ...this.#begun, message1: EMPTY });
      else this.#conclude(this.#begun.responder.readMessage3(data, this.#options.psks));
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      this.fail(error.message, error);
    }
  };

  /** Message 1 came as a message, or once more, because something on the way dropped a header. */
  #answer(begun: BegunHandshake): void {
    this.#begun = begun;
    this.#message2SentAt = monotonicNow();
    this.#webSocket.send(begun.message2);
    if (!begun.goesOn) this.#endWithoutVersion();
  }

  #endWithoutVersion(): void {
    this.#settle();
    this.#webSocket.close(1002);
    setTimeout(() => this.#webSocket.terminate(), CLOSE_GRACE_MS).unref();
    this.#options.onFailure(new TunnelError('version-unsupported'));
  }

  #conclude(outcome: Message3Outcome): void {
    if (outcome.kind === 'unreadable') {
      this.fail('message 3 cannot be read');
      return;
    }
    this.#settle();
    this.#options.onOutcome(outcome, monotonicNow() - this.#message2SentAt);
  }
}
