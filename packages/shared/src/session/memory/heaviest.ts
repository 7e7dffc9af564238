import { YOUNG_MS } from './constants.ts';

/** What one stream holds: bytes that arrived, and bytes that the peer does not have yet. Times are monotonic ms. */
export interface Waiting {
  readonly id: number;
  readonly heldBytes: number;
  readonly heldSince: number;
  readonly unsentBytes: number;
  readonly unsentSince: number;
}

/** Ids of the streams that hold the most bytes for the longest time, heaviest first: enough of them to free `bytes`. */
export function heaviest(streams: Iterable<Waiting>, bytes: number, now: number): number[] {
  const weighed: { readonly id: number; readonly bytes: number; readonly weight: number }[] = [];
  for (const { id, heldBytes, heldSince, unsentBytes, unsentSince } of streams) {
    const weight = heldBytes * (now - heldSince + YOUNG_MS) + unsentBytes * (now - unsentSince + YOUNG_MS);
    if (weight > 0) weighed.push({ id, bytes: heldBytes + unsentBytes, weight });
  }
  weighed.sort((a, b) => b.weight - a.weight);
  const ids: number[] = [];
  let leftBytes = bytes;
  for (const stream of weighed) {
    if (leftBytes <= 0) break;
    leftBytes -= stream.bytes;
    ids.push(stream.id);
  }
  return ids;
}
