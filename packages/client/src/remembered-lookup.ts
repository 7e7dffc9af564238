import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { monotonicNow } from '@tunnel/shared/node';

/** How long an answer is used again, in ms. */
const LIFE_MS = 5_000;

/**
 * Looks up the host of a local service, for `net.connect`, and remembers the answer for 5 s: with many visitors the system's
 * resolver costs as much as all the rest. Errors are not remembered.
 */
export function rememberedLookup(
  resolve: typeof dnsLookup = dnsLookup,
  now: () => number = monotonicNow,
): LookupFunction {
  const answers = new Map<string, { readonly addresses: LookupAddress[]; readonly until: number }>();
  return (host, options, callback) => {
    const key = `${host} ${options.family ?? ''} ${options.hints ?? ''}`;
    const give = (addresses: LookupAddress[]): void => {
      if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    };
    const known = answers.get(key);
    if (known && now() < known.until) {
      give(known.addresses);
      return;
    }
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) {
        answers.delete(key);
        callback(error, '');
        return;
      }
      answers.set(key, { addresses, until: now() + LIFE_MS });
      give(addresses);
    });
  };
}
