/** How many names are remembered for each peer, and which peer has the most. All operations take constant time. */
export class RememberedShares<Name> {
  /** By peer, longest unused first. */
  readonly #held = new Map<string, Set<Name>>();
  /** Peers by their number of names, in the order in which they reached it. */
  readonly #byCount: Set<string>[] = [];
  #greatest = 0;
  #count = 0;

  /** Over all peers. */
  get count(): number {
    return this.#count;
  }

  add(peer: string, name: Name): void {
    const held = this.#held.get(peer) ?? new Set();
    this.#held.set(peer, held);
    const before = held.size;
    held.add(name);
    this.#move(peer, before, held.size);
  }

  remove(peer: string, name: Name): void {
    const held = this.#held.get(peer);
    if (!held) return;
    const before = held.size;
    held.delete(name);
    if (held.size === 0) this.#held.delete(peer);
    this.#move(peer, before, held.size);
  }

  clear(): void {
    this.#held.clear();
    this.#byCount.length = 0;
    this.#greatest = 0;
    this.#count = 0;
  }

  /** The longest unused name of the peer with the most names; in a tie, of the peer that reached that number first. */
  get oldestOfGreatest(): Name | undefined {
    const [peer = ''] = this.#byCount[this.#greatest] ?? [];
    return this.#held.get(peer)?.values().next().value;
  }

  #move(peer: string, before: number, after: number): void {
    if (after === before) return;
    this.#count += after - before;
    this.#byCount[before]?.delete(peer);
    (this.#byCount[after] ??= new Set()).add(peer);
    this.#greatest = Math.max(this.#greatest, after);
    while (this.#greatest > 0 && !this.#byCount[this.#greatest]?.size) this.#greatest -= 1;
  }
}
