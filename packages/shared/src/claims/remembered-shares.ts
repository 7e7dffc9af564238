/** Which peers have how many names remembered, and who has most: every question costs the same, however many there are. */
export class RememberedShares<Name> {
  /** Of each peer, the longest unused first. */
  readonly #held = new Map<string, Set<Name>>();
  /** The peers that have so many, in the order in which they came to. */
  readonly #byCount: Set<string>[] = [];
  #greatest = 0;
  #count = 0;

  /** Of all peers together. */
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

  /** The longest unused name of the peer that has most; among several such peers, of the one that has had so many longest. */
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
