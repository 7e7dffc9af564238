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
import { type ClientAddress, type ClientAddresses, isLoopback } from '../front/client-address.ts';
import type { Connections } from '../front/connections.ts';
import { beginHandshake, type BegunHandshake, ServerHandshake, UNAUTHENTICATED_BYTES } from './handshake.ts';

/** How long a refused client has to receive the answer, in ms. */
const CLOSE_GRACE_MS = 1_000;

/** How often the waiting crowd is checked, in ms. */
const CROWD_MS = 50;

/** A request dropped from the queue is told to stay away for this long, in s, spread at random. */
const LEAST_RETRY_AFTER_S = 5;
const RETRY_AFTER_SPREAD_S = 10;

const EMPTY = Buffer.alloc(0);

/** A link whose client is authenticated. Nothing has been sent on it yet: it is accepted or refused next. */
export interface ProvenLink {
  readonly records: RecordLink;
  readonly hello: Hello;
  /** The feature bits that both sides know. */
  readonly features: number;
  /** The client's public key. */
  readonly clientKey: Uint8Array;
  /** Whether it proved the shared secret besides its key. */
  readonly knowsSecret: boolean;
  /** The client's address and port, as seen here or reported by a trusted proxy. */
  readonly address: string;
  /** The key for that address in shared limits. */
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
  /** Whether there are sessions from that source, with a link or about to be resumed. */
  readonly isKnown: (source: string) => boolean;
  readonly onProven: (link: ProvenLink) => void;
  /** `clientKey` if one was claimed: it is unproven. */
  readonly onFailure: (error: TunnelError, address: string, clientKey?: Uint8Array) => void;
}

/** An upgrade request and what has become of it. */
interface Arrival {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Data received after the request. */
  head: Buffer;
  /** Kept because a closed socket no longer knows it. */
  readonly from: ClientAddress;
  /** Monotonic ms. */
  readonly cameAt: number;
  handshake?: ServerHandshake;
  /** While waiting for its turn. */
  stopWaiting?: () => void;
}

/** Accepts WebSocket upgrades and takes each through the handshake. */
export class LinkAcceptor {
  readonly #options: LinkAcceptorOptions;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_RECORD_BYTES,
    skipUTF8Validation: true,
  });
  /** Message 2 for the upgrades being answered. */
  readonly #answers = new WeakMap<IncomingMessage, Uint8Array>();
  readonly #admission = new Admission<Arrival>();
  #crowdTimer: NodeJS.Timeout | undefined;

  constructor(options: LinkAcceptorOptions) {
    this.#options = options;
    this.#webSockets.on('headers', (headers, request) => {
      const message2 = this.#answers.get(request);
      if (message2) headers.push(`${HANDSHAKE_HEADER}: ${Buffer.from(message2).toString('base64url')}`);
    });
    // Not a WebSocket request, or a broken one: `ws` leaves the response to this listener.
    this.#webSockets.on('wsClientError', (error, socket, request) => {
      this.#refuse(request, socket as Socket, '400 Bad Request', handshakeFailed(error.message, error));
    });
  }

  /** Handshakes in progress or waiting for their turn. */
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

  /** Stops. Ending the connections is up to the caller. */
  close(): void {
    clearInterval(this.#crowdTimer);
  }

  /** Keeps reading, so that clients that leave are noticed, but keeps no more than a handshake can need. */
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
    // Rounded to microseconds: it also appears in JSON that people read.
    const handshakeMs = Math.round((monotonicNow() - cameAt) * 1000) / 1000;
    const { text: address, source } = from;
    this.#options.onProven({
      records,
      hello,
      features,
      clientKey,
      knowsSecret,
      address,
      source,
      isLocal: isLoopback(from.address),
      roundTripMs,
      handshakeMs,
    });
  }

  #leave(arrival: Arrival, isProven = false): void {
    const next = this.#admission.leave(arrival, monotonicNow(), isProven);
    // Not from within the end of another one: a long queue must not become a deep stack.
    if (next) setImmediate(() => this.#open(next));
  }

  #moveOn(): void {
    // Timers run before newly arrived data is read: the last message may already be here.
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
    // The other end may keep its side open forever: no timeout of the HTTP server applies after an upgrade request.
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
