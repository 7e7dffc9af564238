import { isDeepStrictEqual } from 'node:util';
import { type ErrorCode, TunnelError, type Term } from '@tunnel/shared';
import { NetworkList, parseNetwork } from '@tunnel/shared/node';

/** Why a visitor is kept out: because of the rules, or because it is gone already and there is nobody to let in. */
export type VisitorRefusal = Extract<ErrorCode, 'visitor-denied' | 'visitor-limit'> | 'gone';

/** Decides which visitors of a tunnel are let in: no word of the others reaches the client. */
export class VisitorGate {
  readonly terms: readonly Term[];
  /** Undefined: all that are not denied. */
  readonly #allowed: NetworkList | undefined;
  readonly #denied: NetworkList | undefined;
  readonly #maxConnections: number;

  /** Throws `terms-refused` where a rule is not understood: without it, visitors would come in who must not. */
  constructor(terms: readonly Term[] = []) {
    this.terms = terms;
    const networks = { allow: [] as string[], deny: [] as string[] };
    let maxConnections = Infinity;
    for (const term of terms) {
      if (term.term === 'unknown') {
        throw new TunnelError('terms-refused', { detail: `this server does not know terms of type ${term.type}` });
      }
      if (term.term === 'max-connections') maxConnections = Math.min(maxConnections, term.limit);
      else if (term.term === 'allow' || term.term === 'deny') networks[term.term].push(term.network);
    }
    this.#allowed = listOf(networks.allow);
    this.#denied = listOf(networks.deny);
    this.#maxConnections = maxConnections;
  }

  /** Whether these are its rules, in the same order. Costs a hundredth of building another one. */
  hasTerms(terms: readonly Term[] = []): boolean {
    return terms.length === this.terms.length && terms.every((term, index) => isSameTerm(term, this.terms[index]!));
  }

  /** Why a visitor from this address is kept out; `present` others are there. A denied network goes before an allowed one. */
  refusalOf(address: string, present: number): VisitorRefusal | undefined {
    // A connection that was reset before it was accepted has no address any more, and rules cannot be asked about it.
    if (address === '' && (this.#allowed || this.#denied)) return 'gone';
    if (this.#denied?.has(address) === true || this.#allowed?.has(address) === false) return 'visitor-denied';
    return present >= this.#maxConnections ? 'visitor-limit' : undefined;
  }
}

function isSameTerm(a: Term, b: Term): boolean {
  if (a.term === 'max-connections') return b.term === a.term && b.limit === a.limit;
  if (a.term === 'allow' || a.term === 'deny') return b.term === a.term && b.network === a.network;
  return a.term !== 'unknown' && isDeepStrictEqual(a, b);
}

function listOf(texts: readonly string[]): NetworkList | undefined {
  if (texts.length === 0) return undefined;
  return new NetworkList(
    texts.map((text) => {
      const network = parseNetwork(text);
      if (!network) throw new TunnelError('terms-refused', { detail: `${text} is not a valid network` });
      return network;
    }),
  );
}
