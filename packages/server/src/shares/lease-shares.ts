/** Which clients hold how many leases, and who holds most, whatever their number at the same cost. */
export class LeaseShares {
  /** Of each client, in the order in which they came. */
  readonly #held = new Map<string, Set<string>>();
  /** The clients that hold so many, in the order in which they came to do so. */
  readonly #byCount: Set<string>[] = [];
  #greatest = 0;

  add(client: string, lease: string): void {
    const held = this.#held.get(client) ?? new Set();
    this.#held.set(client, held);
    const before = held.size;
    held.add(lease);
    this.#move(client, before, held.size);
  }

  remove(client: string, lease: string): void {
    const held = this.#held.get(client);
    if (!held) return;
    const before = held.size;
    held.delete(lease);
    if (held.size === 0) this.#held.delete(client);
    this.#move(client, before, held.size);
  }

  /** The oldest lease of the client that holds most; of several such clients, of the one that has held so many for longest. */
  get oldestOfGreatest(): string | undefined {
    const [client = ''] = this.#byCount[this.#greatest] ?? [];
    return this.#held.get(client)?.values().next().value;
  }

  #move(client: string, before: number, after: number): void {
    if (after === before) return;
    this.#byCount[before]?.delete(client);
    (this.#byCount[after] ??= new Set()).add(client);
    this.#greatest = Math.max(this.#greatest, after);
    while (this.#greatest > 0 && !this.#byCount[this.#greatest]?.size) this.#greatest -= 1;
  }
}
