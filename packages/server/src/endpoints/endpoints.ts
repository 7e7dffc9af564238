import { type Claims, type Claimant, type ErrorCode, type PublicName, type Term, TunnelError } from '@tunnel/shared';
import type { Candidate, EndpointCodes, EndpointKind, OpenEndpoint, VisitorHandlers, Wish } from './endpoint.ts';
import { somebodyElses } from './endpoint-refusal.ts';
import { type Occupant, TunnelPlaces } from './tunnel-places.ts';

/** So often a name is claimed while its record changes under the claim; then it counts as somebody else's. */
const CLAIM_TRIES = 8;

/** From which of the client's own processes a name may be taken; `silent`: from one that does not answer when it is asked. */
type TakenFrom = Candidate['takenFrom'] | 'silent';

/** The tunnel that an endpoint is for. */
export interface EndpointHolder extends Claimant, VisitorHandlers {
  /** Whether its client runs on the server's own machine. */
  readonly isLocal: boolean;
  /** Whether the client answers, asked just now. */
  answers(): Promise<boolean>;
  /** The endpoint goes to another process of the same client, or makes room for it. `takenCode`: what that is called. */
  giveUp(takenCode: ErrorCode): void;
}

/** An endpoint that a tunnel has. */
export interface GrantedEndpoint {
  /** As it would be asked for again. */
  readonly name: string;
  /** URLs, the best first. */
  readonly addresses: readonly string[];
  readonly codes: EndpointCodes;
  /** Why the tunnel's key may not have it any more; undefined if it may. */
  readonly refusal: TunnelError | undefined;
  /** Gives it back, unless it has another holder already. Visitors that are there stay. */
  close(): void;
}

export interface EndpointsOptions {
  /** Of several with one number the last counts. */
  readonly kinds: readonly EndpointKind[];
  readonly claims: Claims;
  /** Tunnels that a key may have at a time. */
  readonly tunnelLimitOf: (clientKey: string) => number;
  /** Until then remembered names are kept for their clients, who may not be back yet after a server start: monotonic ms. */
  readonly keptUntil: number;
  /** Monotonic and wall clock, ms. */
  readonly monotonicNow: () => number;
  readonly wallNow: () => number;
}

/** An endpoint that is open, and the tunnel that has it at the moment. */
class Held implements Occupant {
  readonly kind: EndpointKind;
  readonly name: string;
  holder: EndpointHolder;
  /** Undefined until it is open. */
  endpoint: OpenEndpoint | undefined;
  readonly #close: () => void;

  constructor(kind: EndpointKind, name: string, holder: EndpointHolder, close: (held: Held) => void) {
    this.kind = kind;
    this.name = name;
    this.holder = holder;
    this.#close = () => close(this);
  }

  async answers(): Promise<boolean> {
    return this.holder.hasLink && (await this.holder.answers());
  }

  close(): void {
    this.#close();
  }

  giveUp(): void {
    const { holder } = this;
    this.close();
    holder.giveUp(this.kind.codes.taken);
  }
}

/**
 * The public addresses of a server, of all kinds. Opens those that tunnels ask for, and settles who gets one that somebody
 * has or had: kinds know names and sockets only.
 */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #kinds: ReadonlyMap<number, EndpointKind>;
  readonly #held = new Map<PublicName, Held>();
  readonly #places: TunnelPlaces<Held>;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((kind) => [kind.number, kind]));
    this.#places = new TunnelPlaces(options.tunnelLimitOf);
  }

  /** How many are open. */
  get count(): number {
    return this.#held.size;
  }

  /** Throws `terms-refused` if endpoints of this kind cannot meet one of these. */
  requireTerms(kindNumber: number, terms: readonly Term[]): void {
    this.#kinds.get(kindNumber)?.requireTerms(terms);
  }

  /** That an endpoint of this kind cannot be opened now. */
  unavailable(kindNumber: number, because: { readonly detail?: string; readonly cause?: unknown }): TunnelError {
    return new TunnelError(this.#kinds.get(kindNumber)?.codes.unavailable ?? 'port-unavailable', because);
  }

  /** Opens what a tunnel wants; any name for an empty one. Rejects with a `TunnelError`. */
  async open(kindNumber: number, wanted: string, holder: EndpointHolder): Promise<GrantedEndpoint> {
    const kind = this.#kinds.get(kindNumber);
    if (!kind) throw new TunnelError('terms-refused', { detail: `this server has no endpoints of kind ${kindNumber}` });
    // Before it takes a place: what is refused anyway leaves it to others.
    if (wanted !== '') this.#requireObtainable(kind, wanted, holder);
    const held = await this.#places.fill(holder.clientKey, () => this.#choose(kind, wanted, holder));
    return {
      name: held.name,
      get addresses() {
        return held.endpoint?.addresses ?? [];
      },
      codes: kind.codes,
      get refusal() {
        return kind.permits(held.name, holder.clientKey) ? undefined : kind.refusalOf(held.name, holder.clientKey);
      },
      // It may have another holder by the time that it is closed.
      close: () => (held.holder === holder ? held.close() : undefined),
    };
  }

  #requireObtainable(kind: EndpointKind, wanted: string, holder: EndpointHolder): void {
    const choice = kind.choose(this.#wishOf(kind, wanted, holder));
    if (choice.kind === 'any') return;
    const verdict = this.#judge(kind, choice.name, holder);
    if (verdict.kind === 'refused') throw refusalOf(kind, choice.name, verdict.because);
  }

  async #choose(kind: EndpointKind, wanted: string, holder: EndpointHolder): Promise<Held> {
    // Again: much may have happened while it waited.
    const choice = kind.choose(this.#wishOf(kind, wanted, holder));
    if (choice.kind === 'one') return this.#openThis(kind, choice.name, holder, 'silent');
    let areSomeKept = false;
    for (const { name, takenFrom } of choice.candidates) {
      if (!kind.permits(name, holder.clientKey)) continue;
      const verdict = this.#judge(kind, name, holder);
      if (verdict.kind === 'refused') {
        areSomeKept ||= verdict.because === 'kept';
        continue;
      }
      try {
        return await this.#openThis(kind, name, holder, takenFrom);
      } catch (error) {
        if (!(error instanceof TunnelError) || error.code !== kind.codes.taken) throw error;
      }
    }
    throw choice.exhausted(areSomeKept);
  }

  #wishOf(kind: EndpointKind, wanted: string, { clientKey, label, isLocal }: EndpointHolder): Wish {
    const { claims, wallNow } = this.#options;
    const remembered = claims.nameFor(clientKey, label, kind.prefix, wallNow());
    return {
      wanted,
      clientKey,
      remembered: remembered?.slice(kind.prefix.length + 1),
      label,
      isLocal,
      isRemembered: (name) => claims.recordOf(publicName(kind, name), wallNow()) !== undefined,
    };
  }

  #judge(kind: EndpointKind, name: string, holder: EndpointHolder): ReturnType<Claims['judge']> {
    const { claims, keptUntil, monotonicNow, wallNow } = this.#options;
    const isKept = monotonicNow() < keptUntil && !kind.isReserved(name, holder.clientKey);
    return claims.judge(publicName(kind, name), holder, wallNow(), isKept);
  }

  async #openThis(kind: EndpointKind, name: string, holder: EndpointHolder, takenFrom: TakenFrom): Promise<Held> {
    const verdict = this.#judge(kind, name, holder);
    switch (verdict.kind) {
      case 'refused':
        throw refusalOf(kind, name, verdict.because);
      case 'contested':
        return this.#takeOver(kind, name, holder, takenFrom);
      case 'free':
        return this.#openFresh(kind, name, holder);
    }
  }

  /** From another process of the same client. */
  async #takeOver(kind: EndpointKind, name: string, holder: EndpointHolder, takenFrom: TakenFrom): Promise<Held> {
    const held = this.#held.get(publicName(kind, name));
    const before = held?.holder;
    if (!held || !before || takenFrom === 'nobody' || (takenFrom === 'linkless' && before.hasLink)) {
      throw refusalOf(kind, name, 'held-by-itself');
    }
    if (await held.answers()) throw refusalOf(kind, name, 'held-by-itself');
    const isAsItWas = held.holder === before && this.#held.get(publicName(kind, name)) === held;
    if (!isAsItWas) return this.#openThis(kind, name, holder, takenFrom);
    const verdict = this.#judge(kind, name, holder);
    if (verdict.kind !== 'contested') throw refusalOf(kind, name, 'held');
    // Before the registry answers: whatever becomes of the one before must not close it meanwhile.
    held.holder = holder;
    const isTaken = await this.#take(kind, name, holder, verdict.revision);
    if (!isTaken) held.close();
    before.giveUp(kind.codes.taken);
    if (!isTaken) throw refusalOf(kind, name, 'held');
    return held;
  }

  async #openFresh(kind: EndpointKind, name: string, holder: EndpointHolder): Promise<Held> {
    const held = new Held(kind, name, holder, (closed) => this.#close(closed));
    const endpoint = await kind.open(name, this.#visitorsOf(held));
    try {
      await this.#claim(kind, name, holder);
    } catch (error) {
      endpoint.close();
      throw error;
    }
    held.endpoint = endpoint;
    endpoint.granted?.(holder.share);
    this.#held.set(publicName(kind, name), held);
    return held;
  }

  /** Its visitors go to whoever holds it when they come. */
  #visitorsOf(held: Held): VisitorHandlers {
    return {
      get terms() {
        return held.holder.terms;
      },
      get hasLink() {
        return held.holder.hasLink;
      },
      // It may have been given back while a load balancer's header was on its way.
      enter: (address) =>
        this.#held.get(publicName(held.kind, held.name)) === held ? held.holder.enter(address) : 'tunnel-closed',
      onUnusable: () => held.holder.onUnusable(),
    };
  }

  /** Throws if the name cannot be had any more: what was true before it was opened may not be true now. */
  async #claim(kind: EndpointKind, name: string, holder: EndpointHolder): Promise<void> {
    for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
      if (!kind.permits(name, holder.clientKey)) throw kind.refusalOf(name, holder.clientKey);
      const verdict = this.#judge(kind, name, holder);
      if (verdict.kind === 'refused') throw refusalOf(kind, name, verdict.because);
      if (verdict.kind === 'contested') throw refusalOf(kind, name, 'held-by-itself');
      if (await this.#take(kind, name, holder, verdict.revision)) return;
    }
    throw refusalOf(kind, name, 'held');
  }

  #take(kind: EndpointKind, name: string, holder: EndpointHolder, revision: number): Promise<boolean> {
    const { claims, wallNow } = this.#options;
    return claims.take(publicName(kind, name), holder, wallNow(), revision);
  }

  #close(held: Held): void {
    const { kind, name, holder, endpoint } = held;
    if (this.#held.get(publicName(kind, name)) !== held) return;
    endpoint?.close();
    this.#held.delete(publicName(kind, name));
    this.#places.leave(holder.clientKey, held);
    const { claims, wallNow } = this.#options;
    // Whatever the registry does not take now stays this holder's there, and is its own when it comes back.
    claims.release(publicName(kind, name), holder, wallNow()).catch(() => {});
  }
}

function publicName({ prefix }: EndpointKind, name: string): PublicName {
  return `${prefix}/${name}`;
}

function refusalOf(kind: EndpointKind, name: string, because: 'held' | 'held-by-itself' | 'kept'): TunnelError {
  switch (because) {
    case 'held':
      return somebodyElses(kind.codes.taken, name, 'another client');
    case 'held-by-itself':
      return new TunnelError(kind.codes.taken, { detail: `${name}, by another tunnel with this client's key` });
    case 'kept':
      return new TunnelError(kind.codes.taken, {
        detail: `${name} is kept for a while for the client that had it last`,
      });
  }
}
