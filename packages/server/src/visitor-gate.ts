import { type ErrorCode, TunnelError, type VisitorRule } from '@tunnel/shared';
import { NetworkList, parseNetwork } from '@tunnel/shared/node';

/** Decides which visitors of a tunnel are let in: no word of the others reaches the client. */
export class VisitorGate {
  /** Undefined: all that are not denied. */
  readonly #allowed: NetworkList | undefined;
  readonly #denied: NetworkList | undefined;
  readonly #maxConnections: number;

  /** Throws `rules-refused` where a rule is not understood: without it, visitors would come in who must not. */
  constructor(rules: readonly VisitorRule[] = []) {
    const networks = { allow: [] as string[], deny: [] as string[] };
    let maxConnections = Infinity;
    for (const rule of rules) {
      if (rule.rule === 'unknown') {
        throw new TunnelError('rules-refused', { detail: `this server does not know rules of kind ${rule.kind}` });
      }
      if (rule.rule === 'max-connections') maxConnections = Math.min(maxConnections, rule.limit);
      else networks[rule.rule].push(rule.network);
    }
    this.#allowed = listOf(networks.allow);
    this.#denied = listOf(networks.deny);
    this.#maxConnections = maxConnections;
  }

  /** Why a visitor from this address is kept out; `present` others are there. A denied network goes before an allowed one. */
  refusalOf(address: string, present: number): Extract<ErrorCode, 'visitor-denied' | 'visitor-limit'> | undefined {
    // Of a connection that is gone already the address is not known any more.
    const isDenied = this.#denied !== undefined && (address === '' || this.#denied.has(address));
    if (isDenied || this.#allowed?.has(address) === false) return 'visitor-denied';
    return present >= this.#maxConnections ? 'visitor-limit' : undefined;
  }
}

function listOf(texts: readonly string[]): NetworkList | undefined {
  if (texts.length === 0) return undefined;
  return new NetworkList(
    texts.map((text) => {
      const network = parseNetwork(text);
      if (!network) throw new TunnelError('rules-refused', { detail: `${text} is no network` });
      return network;
    }),
  );
}
