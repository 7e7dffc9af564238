import { type ErrorCode, TunnelError, type VisitorRule } from '@tunnel/shared';
import { NetworkList, parseNetwork } from '@tunnel/shared/node';

/** Why a visitor is kept out: because of the rules, or because it is gone already and there is nobody to let in. */
export type VisitorRefusal = Extract<ErrorCode, 'visitor-denied' | 'visitor-limit'> | 'gone';

/** Decides which visitors of a tunnel are let in: no word of the others reaches the client. */
export class VisitorGate {
  readonly rules: readonly VisitorRule[];
  /** Undefined: all that are not denied. */
  readonly #allowed: NetworkList | undefined;
  readonly #denied: NetworkList | undefined;
  readonly #maxConnections: number;

  /** Throws `terms-refused` where a rule is not understood: without it, visitors would come in who must not. */
  constructor(rules: readonly VisitorRule[] = []) {
    this.rules = rules;
    const networks = { allow: [] as string[], deny: [] as string[] };
    let maxConnections = Infinity;
    for (const rule of rules) {
      if (rule.rule === 'unknown') {
        throw new TunnelError('terms-refused', { detail: `this server does not know terms of type ${rule.type}` });
      }
      if (rule.rule === 'max-connections') maxConnections = Math.min(maxConnections, rule.limit);
      else networks[rule.rule].push(rule.network);
    }
    this.#allowed = listOf(networks.allow);
    this.#denied = listOf(networks.deny);
    this.#maxConnections = maxConnections;
  }

  /** Whether these are its rules, in the same order. Costs a hundredth of building another one. */
  hasRules(rules: readonly VisitorRule[] = []): boolean {
    return rules.length === this.rules.length && rules.every((rule, index) => isSameRule(rule, this.rules[index]!));
  }

  /** Why a visitor from this address is kept out; `present` others are there. A denied network goes before an allowed one. */
  refusalOf(address: string, present: number): VisitorRefusal | undefined {
    // A connection that was reset before it was accepted has no address any more, and rules cannot be asked about it.
    if (address === '' && (this.#allowed || this.#denied)) return 'gone';
    if (this.#denied?.has(address) === true || this.#allowed?.has(address) === false) return 'visitor-denied';
    return present >= this.#maxConnections ? 'visitor-limit' : undefined;
  }
}

function isSameRule(a: VisitorRule, b: VisitorRule): boolean {
  if (a.rule === 'max-connections') return b.rule === a.rule && b.limit === a.limit;
  return a.rule !== 'unknown' && b.rule === a.rule && b.network === a.network;
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
