import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  type Hello,
  HANDSHAKE_HEADER,
  HandshakeError,
  MAX_RECORD_BYTES,
  type Message3Outcome,
  TunnelError,
} from '@tunnel/shared';
import { monotonicNow, RecordLink } from '@tunnel/shared/node';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access } from '../access/access.ts';
import { Admission } from './admission.ts';
import type { ClientAddress, ClientAddresses } from '../front/client-address.ts';
import type { Connections } from '../front/connections.ts';
import { beginHandshake, type BegunHandshake, ServerHandshake, UNAUTHENTICATED_BYTES } from './handshake.ts';

/** Whoever is refused has this long to take the answer, in ms. */
const CLOSE_GRACE_MS = 1_000;

/** How often a crowd that waits is looked after, in ms. */
const CROWD_MS = 50;

/** Who has to go from the queue is told to stay away this long, spread at random, in s. */
const LEAST_RETRY_AFTER_S = 5;
const RETRY_AFTER_SPREAD_S = 10;

const EMPTY = Buffer.alloc(0);

/** A link whose client proved who it is. Nothing was sent on it yet: it is accepted or refused next. */
export interface ProvenLink {
  readonly records: RecordLink;
  readonly hello: Hello;
  /** The feature bits that both sides know. */
  readonly features: number;
  /** The client's public key. */
  readonly clientKey: Uint8Array;
  /** Whether it proved the shared secret besides its key. */
  readonly knowsSecret: boolean;
  /** Where the client comes from: address and port, or what a trusted proxy says. */
  readonly address: string;
  /** What that counts as where places are shared. */
  readonly source: string;
  /** Whether the client runs on this machine. */
  readonly isLocal: boolean;
  /** From message 2 to message 3, in ms. */
  readonly roundTripMs: number;
  /** From the upgrade request to message 3, in ms. */
  readonly handshakeMs: number;
}

export interface LinkAcceptorOptions {
  readonly identity: Uint8Array;
  readonly access: Access;
  readonly addresses: ClientAddresses;
  readonly connections: Pick<Connections, 'peerOf' | 'countFor' | 'proven'>;
  /** Whether sessions come from there, with a link or about to be resumed. */
  readonly isKnown: (source: string) => boolean;
  readonly onProven: (link: ProvenLink) => void;
  /** `clientKey` where one was claimed: nothing proves it. */
  readonly onFailure: (error: TunnelError, address: string, clientKey?: Uint8Array) => void;
}

/** An upgrade request and what has become of it. */
interface Arrival {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request. */
  head: Buffer;
  /** A closed socket does not tell any more. */
  readonly from: ClientAddress;
  /** Monotonic ms. */
  readonly cameAt: number;
  handshake?: ServerHandshake;
  /** While it waits for its turn. */
  stopWaiting?: () => void;
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
  readonly #admission = new Admission<Arrival>();
  #crowdTimer: NodeJS.Timeout | undefined;

  constructor(options: LinkAcceptorOptions) {
    this.#options = options;
    this.#webSockets.on('headers', (headers, request) => {
      const message2 = this.#answers.get(request);
      if (message2) headers.push(`${HANDSHAKE_HEADER}: ${Buffer.from(message2).toString('base64url')}`);
    });
    // Not a WebSocket request, or a broken one: `ws` leaves the answer to whoever listens here.
    this.#webSockets.on('wsClientError', (error, socket, request) => {
      this.#refuse(request, socket as Socket, '400 Bad Request', handshakeFailed(error.message, error));
    });
  }

  /** Handshakes that go on, or wait for their turn. */
  get handshakeCount(): number {
    return this.#admission.count;
  }

  /** For the `upgrade` event of an HTTP server. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => {});
    if (request.headers.origin !== undefined) {
      this.#refuse(request, socket, '403 Forbidden', handshakeFailed('a browser (Origin header)'));
      return;
    }
    const cameAt = monotonicNow();
    const from = this.#addressOf(request);
    const arrival: Arrival = { request, socket, head, from, cameAt };
    this.#options.connections.countFor(socket, from.source);
    const answer = this.#admission.request(arrival, from.source, this.#options.isKnown(from.source), cameAt);
    socket.once('close', () => this.#leave(arrival));
    if (answer.kind === 'admitted') {
      this.#open(arrival);
      return;
    }
    this.#wait(arrival);
    if (answer.displaced) this.#displace(answer.displaced);
  }

  #addressOf(request: IncomingMessage): ClientAddress {
    const { addresses, connections } = this.#options;
    return addresses.of(request, connections.peerOf(request.socket));
  }

  #displace(arrival: Arrival): void {
    arrival.stopWaiting?.();
    const seconds = Math.round(LEAST_RETRY_AFTER_S + Math.random() * RETRY_AFTER_SPREAD_S);
    const error = new TunnelError('at-capacity', { detail: 'too many handshakes at once' });
    this.#refuse(arrival.request, arrival.socket, '503 Service Unavailable', error, `Retry-After: ${seconds}\r\n`);
  }

  /** Looks after nobody any more. Connections are the caller's to end. */
  close(): void {
    clearInterval(this.#crowdTimer);
  }

  /** Reads on meanwhile, so that those who leave are noticed, and keeps no more than a handshake can be. */
  #wait(arrival: Arrival): void {
    const { socket, from } = arrival;
    const keep = (chunk: Buffer): void => {
      if (arrival.head.length + chunk.length <= UNAUTHENTICATED_BYTES) {
        arrival.head = Buffer.concat([arrival.head, chunk]);
        return;
      }
      arrival.stopWaiting?.();
      socket.destroy();
      this.#options.onFailure(handshakeFailed('it is too long'), from.text);
    };
    const leave = (): void => void socket.destroy();
    arrival.stopWaiting = () => socket.off('data', keep).off('end', leave).pause();
    socket.on('data', keep).on('end', leave);
    keep(EMPTY); // what came with the request counts too
    this.#crowdTimer ??= setInterval(() => this.#moveOn(), CROWD_MS);
  }

  #open(arrival: Arrival): void {
    arrival.stopWaiting?.();
    const { request, socket, head } = arrival;
    let begun: BegunHandshake | undefined;
    const header = request.headers[HANDSHAKE_HEADER];
    if (typeof header === 'string') {
      try {
        begun = beginHandshake(this.#options.identity, Buffer.from(header, 'base64url'));
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
        this.#refuse(request, socket, '400 Bad Request', handshakeFailed(error.message, error));
        return;
      }
      this.#answers.set(request, begun.message2);
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      arrival.handshake = new ServerHandshake(webSocket, socket, begun, {
        identity: this.#options.identity,
        psks: this.#options.access.psks,
        onOutcome: (outcome, roundTripMs) => {
          this.#leave(arrival, outcome.kind === 'opened');
          this.#conclude(outcome, webSocket, arrival, roundTripMs);
        },
        onFailure: (error) => {
          this.#leave(arrival);
          this.#options.onFailure(error, arrival.from.text);
        },
      });
    });
    socket.resume();
  }

  #conclude(
    outcome: Exclude<Message3Outcome, { kind: 'unreadable' }>,
    webSocket: WebSocket,
    { socket, from, cameAt }: Arrival,
    roundTripMs: number,
  ): void {
    if (outcome.kind === 'secret-refused') {
      const { code, detail } = this.#options.access.refusal;
      webSocket.send(outcome.sealRefusal({ code, retryAfterMs: 0, detail }));
      webSocket.close(1008);
      setTimeout(() => webSocket.terminate(), CLOSE_GRACE_MS).unref();
      this.#options.onFailure(new TunnelError(code, { detail }), from.text, outcome.clientKey);
      return;
    }
    const { hello, features, clientKey, transport, pskIndex } = outcome;
    this.#options.connections.proven(socket);
    const records = new RecordLink(webSocket, socket, transport, 'server');
    const knowsSecret = this.#options.access.isSecret(pskIndex);
    // To the microsecond: it also goes into JSON that people read.
    const handshakeMs = Math.round((monotonicNow() - cameAt) * 1000) / 1000;
    const { text: address, source, isLocal } = from;
    this.#options.onProven({
      records,
      hello,
      features,
      clientKey,
      knowsSecret,
      address,
      source,
      isLocal,
      roundTripMs,
      handshakeMs,
    });
  }

  #leave(arrival: Arrival, isProven = false): void {
    const next = this.#admission.leave(arrival, monotonicNow(), isProven);
    // Not within the end of another one: a long row must not become a deep stack.
    if (next) setImmediate(() => this.#open(next));
  }

  #moveOn(): void {
    // Timers run before what came meanwhile is read: the last message may be here already.
    setImmediate(() => {
      for (const { handshake, socket } of this.#admission.overdue(monotonicNow())) {
        if (handshake) handshake.fail('it had to make room for others');
        else socket.destroy();
      }
    });
    if (this.#admission.waitingCount > 0) return;
    clearInterval(this.#crowdTimer);
    this.#crowdTimer = undefined;
  }

  #refuse(request: IncomingMessage, socket: Socket, status: string, error: TunnelError, headers = ''): void {
    // The other end may keep its side open for ever: no timeout of the HTTP server counts after an upgrade request.
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${headers}\r\n`, () =>
      socket.destroy(),
    );
    setTimeout(() => socket.destroy(), CLOSE_GRACE_MS).unref();
    this.#options.onFailure(error, this.#addressOf(request).text);
  }
}

function handshakeFailed(detail: string, cause?: unknown): TunnelError {
  return new TunnelError('handshake-failed', { detail, cause });
}
