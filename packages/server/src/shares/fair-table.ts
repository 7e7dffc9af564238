import { Holdings } from './holdings.ts';

/** A bounded set shared by peers. Once it is full, the peer with the most entries makes room for newcomers. */
export class FairTable<Entry, Peer = string> {
  readonly #limit: number;
  readonly #peerOf = new Map<Entry, Peer>();
  /** In order of arrival. */
  readonly #entriesOf = new Map<Peer, Set<Entry>>();
  readonly #holdings = new Holdings<Peer>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#peerOf.size;
  }

  has(entry: Entry): boolean {
    return this.#peerOf.has(entry);
  }

  /** Returns the entry that had to go for it, already removed: the oldest of the peer with the most. */
  add(entry: Entry, peer: Peer): Entry | undefined {
    this.#peerOf.set(entry, peer);
    const entries = this.#entriesOf.get(peer);
    if (entries) entries.add(entry);
    else this.#entriesOf.set(peer, new Set([entry]));
    this.#holdings.add(peer);
    if (this.#peerOf.size <= this.#limit) return undefined;
    const most = this.#holdings.most;
    const displaced = most === undefined ? undefined : this.#entriesOf.get(most)?.values().next().value;
    if (displaced !== undefined) this.delete(displaced);
    return displaced;
  }

  /** The entry turned out to belong to another peer. */
  reassign(entry: Entry, peer: Peer): void {
    if (this.#peerOf.get(entry) !== peer && this.delete(entry)) this.add(entry, peer);
  }

  delete(entry: Entry): boolean {
    const peer = this.#peerOf.get(entry);
    if (peer === undefined) return false;
    this.#peerOf.delete(entry);
    this.#holdings.remove(peer);
    const entries = this.#entriesOf.get(peer);
    entries?.delete(entry);
    if (entries?.size === 0) this.#entriesOf.delete(peer);
    return true;
  }
}
