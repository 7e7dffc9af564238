import type { ErrorCode, TunnelError } from '@tunnel/shared';
import type { PipeSocket } from '@tunnel/shared/node';

/** What is told about a visitor. It travels with the visitor's stream, and no session reads it. */
export interface VisitorAttributes {
  /** Empty for a connection that is gone already. */
  readonly address: string;
  readonly port: number;
  /** The address that it connected to. */
  readonly destination?: string | undefined;
}

/** Where the visitors of an endpoint go. */
export interface VisitorHandlers {
  /** Nothing was read from the connection yet. It is the handler's from here on. */
  readonly onVisitor: (connection: PipeSocket, attributes: VisitorAttributes) => void;
  /** A connection came to nothing: its load balancer did not say who it is. */
  readonly onUnusable: () => void;
}

/** A public address that visitors can use. */
export interface OpenEndpoint {
  /** URLs, the best first. An empty host is the one that the client dialed. */
  readonly addresses: readonly string[];
  /** Takes no more visitors; those that are there stay. */
  close(): void;
}

/** One of several names that would do, and from whom of the client's own processes it may be taken: from one that has no link, or none. */
export interface Candidate {
  readonly name: string;
  readonly takenFrom: 'linkless' | 'nobody';
}

/** What a tunnel can have for what it asks. */
export type Choice =
  | { readonly kind: 'one'; readonly name: string }
  | {
      readonly kind: 'any';
      /** In the order in which they are tried. */
      readonly candidates: Iterable<Candidate>;
      /** Why there is none. `areSomeKept`: some are kept for clients that had them before the server started. */
      readonly exhausted: (areSomeKept: boolean) => TunnelError;
    };

/** Who asks, and what is remembered. */
export interface Wish {
  /** Text that the kind understands; empty: any name. */
  readonly wanted: string;
  /** Public key, base64url. */
  readonly clientKey: string;
  /** The name that the tunnel had before. */
  readonly remembered: string | undefined;
  /** Whether a client has the name or had it. */
  readonly isRemembered: (name: string) => boolean;
}

/**
 * A kind of public address. It knows the names of its kind, which of them a key may have at all, and how to take
 * visitors there. Who has a name, and who takes it over, is decided for all kinds alike, by `Endpoints`.
 */
export interface EndpointKind {
  /** In requests of the protocol. */
  readonly number: number;
  /** What its names begin with where those of all kinds stand together: `port`, for `port/8001`. */
  readonly prefix: string;
  /** The code for a name that somebody has. */
  readonly takenCode: ErrorCode;
  /** Throws if the key may not have what it wants. */
  choose(wish: Wish): Choice;
  /** Whether the key may have this name at all. It may change with the authorized keys. */
  permits(name: string, clientKey: string): boolean;
  /** Why `permits` says no. */
  refusalOf(name: string, clientKey: string): TunnelError;
  /** Whether nobody else may have it, so that it need not be kept for whoever had it last. */
  isReserved(name: string, clientKey: string): boolean;
  /** Opens it. Rejects with a `TunnelError`; with `takenCode` if something outside this server has the name. */
  open(name: string, handlers: VisitorHandlers): Promise<OpenEndpoint>;
}
