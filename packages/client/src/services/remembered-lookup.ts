import { monotonicNow } from '@tunnel/shared/node';
import { type IpAddress, knownAddresses, type Lookup, nameLookups } from '../dial/name-lookups.ts';

/** How long an answer is used without another question, in ms. */
const LIFE_MS = 5_000;

/** How long a fresh answer is waited for while there is an older one, in ms: a resolver that works takes less. */
const PATIENCE_MS = 250;

/**
 * Looks up the host of a local service and remembers the answer for 5 s: with many visitors the system's resolver costs as
 * much as all the rest. An older answer serves while the resolver is silent or says to try again later; any other failure
 * takes it away. Literal addresses and `localhost` never get to the resolver.
 */
export function rememberedLookup(
  resolve: Lookup = (host) => nameLookups.forTarget(host),
  now: () => number = monotonicNow,
): Lookup {
  const answers = new Map<string, { readonly addresses: readonly IpAddress[]; readonly until: number }>();
  const underWay = new Map<string, Promise<readonly IpAddress[]>>();

  const refresh = async (host: string): Promise<readonly IpAddress[]> => {
    try {
      const addresses = await resolve(host);
      answers.set(host, { addresses, until: now() + LIFE_MS });
      return addresses;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAI_AGAIN') answers.delete(host);
      throw error;
    } finally {
      underWay.delete(host);
    }
  };

  return async (host) => {
    const literal = knownAddresses(host);
    if (literal) return literal;
    const known = answers.get(host);
    if (known && now() < known.until) return known.addresses;
    let fresh = underWay.get(host);
    if (!fresh) {
      fresh = refresh(host);
      underWay.set(host, fresh);
    }
    return known ? freshOrKnown(fresh, known.addresses) : fresh;
  };
}

async function freshOrKnown(
  fresh: Promise<readonly IpAddress[]>,
  known: readonly IpAddress[],
): Promise<readonly IpAddress[]> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<readonly IpAddress[]>((resolve) => {
    timer = setTimeout(() => resolve(known), PATIENCE_MS);
  });
  const answer = fresh.catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EAI_AGAIN') return known;
    throw error;
  });
  try {
    return await Promise.race([answer, patience]);
  } finally {
    clearTimeout(timer);
    // Nobody may wait for it any more.
    answer.catch(() => {});
  }
}
