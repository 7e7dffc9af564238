/** How many of something each peer holds, and which peer holds most. All operations take constant time. */
export class Holdings<Peer> {
  readonly #counts = new Map<Peer, number>();
  readonly #peersByCount = new Map<number, Set<Peer>>();
  #most = 0;

  countOf(peer: Peer): number {
    return this.#counts.get(peer) ?? 0;
  }

  /** The peer that holds most; in a tie, the one that reached that number first. Undefined if nobody holds anything. */
  get most(): Peer | undefined {
    return this.#peersByCount.get(this.#most)?.values().next().value;
  }

  add(peer: Peer): void {
    const count = this.countOf(peer);
    this.#move(peer, count, count + 1);
    this.#most = Math.max(this.#most, count + 1);
  }

  remove(peer: Peer): void {
    const count = this.countOf(peer);
    if (count === 0) return;
    this.#move(peer, count, count - 1);
    // Nobody else held as many, so this peer, with one less, is among those that now hold most.
    if (!this.#peersByCount.has(this.#most)) this.#most -= 1;
  }

  #move(peer: Peer, from: number, to: number): void {
    const before = this.#peersByCount.get(from);
    before?.delete(peer);
    if (before?.size === 0) this.#peersByCount.delete(from);
    if (to === 0) {
      this.#counts.delete(peer);
      return;
    }
    this.#counts.set(peer, to);
    const after = this.#peersByCount.get(to);
    if (after) after.add(peer);
    else this.#peersByCount.set(to, new Set([peer]));
  }
}
