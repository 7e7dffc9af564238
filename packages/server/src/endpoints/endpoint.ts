import type { ErrorCode, Term, TunnelError } from '@tunnel/shared';
import type { PipeSocket } from '@tunnel/shared/node';

/** What the client learns about a visitor. It travels with the visitor's stream, and no session reads it. */
export interface VisitorAttributes {
  /** Empty for a connection that is gone already. */
  readonly address: string;
  readonly port: number;
  /** The address that it connected to. */
  readonly destination?: string | undefined;
  readonly destinationPort: number;
}

/** Why a visitor is turned away; `gone`: it left before it could be looked at. */
export type VisitorRefusal = ErrorCode | 'gone';

/** A visitor that was let in: a connection, or a request if the endpoint's kind tells requests apart. */
export interface Visit {
  /**
   * Waits until the session has a link, if it has none. Resolves with why the visitor is turned away if that takes too long, if
   * too many wait already, or if the tunnel is gone meanwhile.
   */
  linked(): Promise<ErrorCode | undefined>;
  /** The visitor was turned away for what `linked` returned: nobody else had the name who could serve it. */
  turnedAway(code: ErrorCode): void;
  /**
   * Opens a stream for a connection, on which nothing was read yet. It belongs to the session from here on, unless a refusal is
   * returned. Also without a link: then the stream is reset if there is none in time.
   */
  open(connection: PipeSocket, attributes: VisitorAttributes): ErrorCode | undefined;
  /** The visitor is served, or left: it no longer counts as present. */
  end(): void;
}

/** Where the visitors of an endpoint go. */
export interface VisitorHandlers {
  /** Of the tunnel's last request. */
  readonly terms: readonly Term[];
  /** Whether the tunnel's session has a link. */
  readonly hasLink: boolean;
  /** Asks for admission, by the visitor's address. */
  readonly enter: (address: string) => Visit | VisitorRefusal;
  /** A connection came to nothing: its load balancer did not say who it is. */
  readonly onUnusable: () => void;
}

/** A public address that visitors can use. */
export interface OpenEndpoint {
  /** URLs, the best first. An empty host is the one that the client dialed. */
  readonly addresses: readonly string[];
  /** It is the tunnel's. `share`: whom it counts for. */
  granted?(share: string): void;
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
      /** Why there is none. `areSomeKept`: some are kept for a while for the clients that had them, who may not be back yet after a server start. */
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
  /** What the tunnel is remembered under. */
  readonly label: string;
  /** Whether the client runs on the server's own machine. */
  readonly isLocal: boolean;
  /** Whether a client has the name or had it. */
  readonly isRemembered: (name: string) => boolean;
}

/** How refusals of a kind are called. */
export interface EndpointCodes {
  /** Somebody has the name. */
  readonly taken: ErrorCode;
  /** The key may not have it, or no longer. */
  readonly notAllowed: ErrorCode;
  /** It cannot be opened now. */
  readonly unavailable: ErrorCode;
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
  readonly codes: EndpointCodes;
  /** Throws `terms-refused` if it cannot meet one of these. Those that decide who is let in hold for all kinds. */
  requireTerms(terms: readonly Term[]): void;
  /** Throws if the key may not have what it wants. */
  choose(wish: Wish): Choice;
  /** Whether the key may have this name at all. It may change with the authorized keys. */
  permits(name: string, clientKey: string): boolean;
  /** Why `permits` says no. */
  refusalOf(name: string, clientKey: string): TunnelError;
  /** Whether nobody else may have it, so that it need not be kept for whoever had it last. */
  isReserved(name: string, clientKey: string): boolean;
  /** Opens it. Rejects with a `TunnelError`; with `codes.taken` if something outside this server has the name. */
  open(name: string, handlers: VisitorHandlers): Promise<OpenEndpoint>;
}
