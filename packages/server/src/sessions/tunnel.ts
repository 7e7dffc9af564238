import type { ErrorCode } from '@tunnel/shared';
import type { PipeSocket, SessionDriver, StreamPipe } from '@tunnel/shared/node';
import type { VisitorAttributes } from '../endpoints/endpoint.ts';
import type { GrantedEndpoint } from '../endpoints/endpoints.ts';
import type { Lobby } from '../visitors/lobby.ts';
import { RefusedVisitors } from '../visitors/refused-visitors.ts';
import { turnAway } from '../visitors/turn-away.ts';
import type { VisitorGate } from '../visitors/visitor-gate.ts';
import { openStream, portOf } from './tunnel-frames.ts';

/** What the tunnels of a session have in common. */
export interface TunnelSurroundings {
  readonly driver: SessionDriver;
  readonly lobby: Lobby;
  /** Whether visitors are let in at all. */
  readonly takesVisitors: () => boolean;
  readonly onVisitor: () => void;
  readonly onRefused: (tunnel: Tunnel, code: ErrorCode) => void;
}

type State =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly endpoint: GrantedEndpoint }
  /** The client gave it back, another process has it, or the session is over. */
  | { readonly kind: 'closed' };

/** One tunnel of a session: its endpoint, who is let in, and the visitors that are there. */
export class Tunnel {
  readonly id: number;
  readonly label: string;
  /** The terms of the last request. */
  gate: VisitorGate;
  readonly #surroundings: TunnelSurroundings;
  readonly #refused: RefusedVisitors;
  readonly #visitors = new Set<StreamPipe>();
  #state: State = { kind: 'opening' };

  constructor(id: number, label: string, gate: VisitorGate, surroundings: TunnelSurroundings) {
    this.id = id;
    this.label = label;
    this.gate = gate;
    this.#surroundings = surroundings;
    this.#refused = new RefusedVisitors((counts) => {
      surroundings.driver.sendNotice({ type: 'visitors-refused', tunnelId: id, ...counts });
    });
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** Undefined while it is being opened, and once it is closed. */
  get endpoint(): GrantedEndpoint | undefined {
    return this.#state.kind === 'open' ? this.#state.endpoint : undefined;
  }

  opened(endpoint: GrantedEndpoint): void {
    this.#state = { kind: 'open', endpoint };
  }

  /** Gives the endpoint back and returns it, if there was one. Visitors that are there stay. */
  close(): GrantedEndpoint | undefined {
    const { endpoint } = this;
    this.#state = { kind: 'closed' };
    this.#refused.close();
    endpoint?.close();
    return endpoint;
  }

  resetVisitors(code: ErrorCode): void {
    for (const visitor of this.#visitors) visitor.reset(code);
  }

  /** What the client was told of refused visitors may be lost. */
  tellRefusedAgain(): void {
    this.#refused.tellAgain();
  }

  onVisitor(connection: PipeSocket, attributes: VisitorAttributes): void {
    const ruledOut = this.gate.refusalOf(attributes.address, this.#visitors.size);
    if (ruledOut === 'gone') {
      // Nobody was kept out: the visitor left before anything could be said of it.
      connection.on('error', () => {}).destroy();
      return;
    }
    if (ruledOut) {
      this.#turnAway(connection, ruledOut);
      this.#refused.add(ruledOut);
      return;
    }
    const { driver, lobby, takesVisitors, onVisitor } = this.#surroundings;
    if (!takesVisitors()) {
      // The listener may have had one more in hand when it was closed.
      this.#turnAway(connection, 'tunnel-closed');
      return;
    }
    if (!driver.hasLink && lobby.isFull) {
      this.#turnAway(connection, 'session-lost');
      return;
    }
    const pipe = openStream(driver, this.id, attributes, this.endpoint ? portOf(this.endpoint) : 0);
    if (!pipe) {
      this.#turnAway(connection, 'stream-limit');
      return;
    }
    onVisitor();
    pipe.attach(connection);
    this.#visitors.add(pipe);
    connection.once('close', () => this.#visitors.delete(pipe));
    if (!driver.hasLink) lobby.add(pipe);
  }

  #turnAway(connection: PipeSocket, code: ErrorCode): void {
    turnAway(connection);
    this.#surroundings.onRefused(this, code);
  }
}
