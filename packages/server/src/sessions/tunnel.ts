import type { ErrorCode } from '@tunnel/shared';
import type { PipeSocket, SessionDriver, StreamPipe } from '@tunnel/shared/node';
import type { Visit, VisitorAttributes, VisitorRefusal } from '../endpoints/endpoint.ts';
import type { GrantedEndpoint } from '../endpoints/endpoints.ts';
import type { Lobby } from '../visitors/lobby.ts';
import { RefusedVisitors } from '../visitors/refused-visitors.ts';
import type { VisitorGate } from '../visitors/visitor-gate.ts';
import { openStream } from './tunnel-frames.ts';

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
  | { readonly kind: 'closed'; readonly endpoint: GrantedEndpoint | undefined };

/** One tunnel of a session: its endpoint, who is let in, and the visitors that are there. */
export class Tunnel {
  readonly id: number;
  readonly label: string;
  /** The terms of the last request. */
  gate: VisitorGate;
  readonly #surroundings: TunnelSurroundings;
  readonly #refused: RefusedVisitors;
  readonly #visitors = new Set<StreamPipe>();
  /** Visitors that are present, as the gate counts them. */
  #visitCount = 0;
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

  /** As `endpoint`, and still known of a tunnel that is closed: its visitors are turned away after that. */
  get lastEndpoint(): GrantedEndpoint | undefined {
    return this.#state.kind === 'opening' ? undefined : this.#state.endpoint;
  }

  opened(endpoint: GrantedEndpoint): void {
    this.#state = { kind: 'open', endpoint };
  }

  /** Gives the endpoint back and returns it, if there was one. Visitors that are there stay. */
  close(): GrantedEndpoint | undefined {
    const { endpoint } = this;
    this.#state = { kind: 'closed', endpoint: this.lastEndpoint };
    this.#refused.close();
    this.#surroundings.lobby.leaveAll(this);
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

  /** A visitor from this address wants in. */
  enter(address: string): Visit | VisitorRefusal {
    const ruledOut = this.gate.refusalOf(address, this.#visitCount);
    // Of one that left before anything could be said of it nobody was kept out.
    if (ruledOut === 'gone') return ruledOut;
    if (ruledOut) {
      this.#refused.add(ruledOut);
      return this.#refuse(ruledOut);
    }
    // The listener may have had one more in hand when it was closed.
    if (!this.#surroundings.takesVisitors() || this.isClosed) return this.#refuse('tunnel-closed');
    this.#visitCount += 1;
    let isOver = false;
    return {
      linked: () => this.#linked(),
      turnedAway: (code) => void this.#refuse(code),
      open: (connection, attributes) => this.#open(connection, attributes),
      end: () => {
        if (!isOver) this.#visitCount -= 1;
        isOver = true;
      },
    };
  }

  async #linked(): Promise<ErrorCode | undefined> {
    const { driver, lobby } = this.#surroundings;
    if (driver.hasLink) return undefined;
    const isLinked = await lobby.wait(this);
    return isLinked && !this.isClosed ? undefined : 'session-lost';
  }

  #open(connection: PipeSocket, attributes: VisitorAttributes): ErrorCode | undefined {
    const { driver, lobby, onVisitor } = this.#surroundings;
    if (!driver.hasLink && lobby.isFull) return this.#refuse('session-lost');
    const pipe = openStream(driver, this.id, attributes);
    if (!pipe) return this.#refuse('stream-limit');
    onVisitor();
    pipe.attach(connection);
    this.#visitors.add(pipe);
    connection.once('close', () => this.#visitors.delete(pipe));
    if (!driver.hasLink) lobby.add(pipe);
    return undefined;
  }

  #refuse(code: ErrorCode): ErrorCode {
    this.#surroundings.onRefused(this, code);
    return code;
  }
}
