import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { monotonicNow } from '@tunnel/shared/node';
import type { Visit, VisitorAttributes, VisitorHandlers } from '../endpoints/endpoint.ts';
import type { ClientAddress, ClientAddresses } from '../front/client-address.ts';
import type { Connections } from '../front/connections.ts';
import { BasicAuth } from './basic-auth.ts';
import { Exchange } from './exchange.ts';
import { type Arrival, forwardRequestHeaders } from './messages/forwarded-headers.ts';
import { rawAnswer, sendAnswer } from './messages/own-answer.ts';
import { LOOP, NO_SUCH_HOST, type Refusal, refusalOf, tooManyGuesses, UNAUTHORIZED } from './messages/refusals.ts';
import { type RequestHead, valuesOf } from './messages/request-head.ts';
import { type HttpTerms, httpTermsOf } from './messages/terms.ts';
import { Http1Upstream } from './http1/http1-upstream.ts';
import { Upgrade } from './http1/upgrade.ts';
import { VisitorConnection } from './visitor-connection.ts';
import type { RequestFields, VisitorRequest } from './messages/visitor-request.ts';

export interface HttpVisitorsOptions {
  /** Where requests for a host go; undefined if nobody has the name. */
  readonly find: (host: string) => VisitorHandlers | undefined;
  readonly addresses: ClientAddresses;
  readonly connections: Pick<Connections, 'peerOf' | 'visitorOf' | 'reset'>;
  /** What this server calls itself in `Via`: no other one does. */
  readonly viaName: string;
  /** A request could not be served for a reason that nobody expects. */
  readonly onFault: (error: unknown) => void;
}

/** A request that may go on to its service. */
interface Admitted {
  readonly handlers: VisitorHandlers;
  readonly visit: Visit;
  readonly terms: HttpTerms;
  readonly headers: readonly string[];
  readonly attributes: VisitorAttributes;
}

/** Leads requests for granted hosts to their services. */
export class HttpVisitors {
  readonly #options: HttpVisitorsOptions;
  readonly #connections = new WeakMap<Socket, VisitorConnection>();
  readonly #auth = new BasicAuth();

  constructor(options: HttpVisitorsOptions) {
    this.#options = options;
  }

  /** Answers a request for a name that is not the server's own. */
  request(visitor: VisitorRequest, head: RequestHead): void {
    const { socket } = visitor;
    const connection = this.#connectionOf(socket);
    if (visitor.httpVersion === '2') {
      this.#guard(this.#serve(visitor, head, connection), socket);
      return;
    }
    connection.inTurn(() => {
      // The answer before was the last.
      if (!socket.writable) return;
      visitor.answer.once('close', () => connection.next());
      this.#guard(this.#serve(visitor, head, connection), socket);
    }, visitor);
  }

  /** What came is not a request. It is answered once those before it are, and ends the connection. */
  unreadable(socket: Socket, refusal: Refusal): void {
    const connection = this.#connections.get(socket);
    const answer = (): void => {
      if (socket.writable) socket.end(rawAnswer({ headers: {} }, refusal), () => socket.destroySoon());
    };
    if (!connection?.isBusy) answer();
    else if (connection.isLastWhole) connection.inTurn(answer);
    // In the middle of a body: what was passed on of it must not pass for whole, and an answer may have begun.
    else this.#options.connections.reset(socket);
  }

  /** The same for one that wants to become a WebSocket. `rest`: what came behind its head. */
  upgrade(request: IncomingMessage, socket: Socket, rest: Buffer, head: RequestHead): void {
    this.#guard(this.#upgrade(request, socket, rest, head), socket);
  }

  /** Whatever goes wrong with one request must not end the server. */
  #guard(served: Promise<void>, socket: Socket): void {
    served.catch((error: unknown) => {
      this.#options.onFault(error);
      this.#options.connections.reset(socket);
    });
  }

  async #upgrade(request: IncomingMessage, socket: Socket, rest: Buffer, head: RequestHead): Promise<void> {
    socket.on('error', () => {});
    const admitted = await this.#admit(request, head, true, () => socket.destroyed);
    if (admitted === undefined) return;
    if ('status' in admitted) {
      socket.end(rawAnswer(request, admitted), () => socket.destroySoon());
      return;
    }
    const { visit, terms, headers, attributes } = admitted;
    const upstream = new Http1Upstream(attributes);
    socket.once('close', () => {
      visit.end();
      upstream.close();
    });
    new Upgrade({
      request,
      socket,
      rest,
      upstream,
      visit,
      target: head.target,
      headers,
      terms,
      reset: () => this.#options.connections.reset(socket),
    }).start();
  }

  async #serve(visitor: VisitorRequest, head: RequestHead, connection: VisitorConnection): Promise<void> {
    const { method, hasBody, answer } = visitor;
    const admitted = await this.#admit(visitor, head, false, () => answer.destroyed);
    if (admitted === undefined) return;
    if ('status' in admitted) {
      sendAnswer(visitor, admitted);
      return;
    }
    const { handlers, visit, terms, headers, attributes } = admitted;
    const request = { method, target: head.target, headers, hasBody };
    const giveBack = connection.withUpstream(head.host, handlers, terms.isHttp2, attributes, (upstream) => {
      new Exchange({ visitor, upstream, visit, request, terms }).start();
    });
    answer.once('close', () => {
      giveBack();
      visit.end();
    });
  }

  /** Undefined if the visitor left meanwhile. */
  async #admit(
    request: RequestFields,
    head: RequestHead,
    isUpgrade: boolean,
    hasLeft: () => boolean,
  ): Promise<Admitted | Refusal | undefined> {
    const { find, addresses, connections, viaName } = this.#options;
    const { host, authority } = head;
    const { rawHeaders, socket, httpVersion, method = 'GET' } = request;
    const peer = connections.peerOf(socket);
    const from = addresses.of(request, peer);
    connections.visitorOf(socket, from.source);
    const handlers = find(host);
    if (!handlers) return NO_SUCH_HOST;
    if (valuesOf(rawHeaders, 'via').some((via) => via.includes(viaName))) return LOOP;
    const terms = httpTermsOf(handlers.terms);
    const denied = this.#denialOf(request, from, host, terms);
    if (denied) return denied;
    const visit = await enter(handlers, from.address);
    if (typeof visit === 'string') return visit === 'gone' ? undefined : refusalOf(visit);
    if (hasLeft()) {
      visit.end();
      return undefined;
    }
    const termsNow = httpTermsOf(handlers.terms);
    // The client came back with other ones while the visitor waited for it.
    const deniedNow = termsNow === terms ? undefined : this.#denialOf(request, from, host, termsNow);
    if (deniedNow) {
      visit.end();
      return deniedNow;
    }
    const arrival: Arrival = {
      proto: protoOf(request, from),
      route: from.route,
      authority,
      httpVersion,
    };
    const headers = forwardRequestHeaders({ method, rawHeaders, arrival, terms: termsNow, viaName, isUpgrade });
    const { destination } = peer;
    const { address, port } = from;
    const attributes = { address, port, destination, destinationPort: socket.localPort ?? 0 };
    return { handlers, visit, terms: termsNow, headers, attributes };
  }

  #denialOf(
    { headers }: RequestFields,
    { source }: ClientAddress,
    host: string,
    { credentials }: HttpTerms,
  ): Refusal | undefined {
    if (!credentials) return undefined;
    const verdict = this.#auth.check(headers.authorization, credentials, source, host, monotonicNow());
    switch (verdict.kind) {
      case 'right':
        return undefined;
      case 'wrong':
        return UNAUTHORIZED;
      case 'blocked':
        return tooManyGuesses(verdict.waitS);
    }
  }

  #connectionOf(socket: Socket): VisitorConnection {
    const known = this.#connections.get(socket);
    if (known) return known;
    const connection = new VisitorConnection(socket);
    this.#connections.set(socket, connection);
    return connection;
  }
}

/** A trusted proxy may have ended the visitor's TLS. */
function protoOf({ headers, socket }: RequestFields, { isForwarded }: ClientAddress): Arrival['proto'] {
  const told = isForwarded ? headers['x-forwarded-proto'] : undefined;
  if (told === 'http' || told === 'https') return told;
  return 'encrypted' in socket ? 'https' : 'http';
}

/** Lets a visitor in and waits for a link. */
async function enter(handlers: VisitorHandlers, address: string): Promise<ReturnType<VisitorHandlers['enter']>> {
  for (;;) {
    const visit = handlers.enter(address);
    if (typeof visit === 'string') return visit;
    const refusal = await visit.linked();
    if (refusal === undefined) return visit;
    visit.end();
    // Another process of the client may have taken the name over while the visitor waited for the first one.
    if (handlers.hasLink) continue;
    visit.turnedAway(refusal);
    return refusal;
  }
}
