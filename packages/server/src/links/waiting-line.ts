/** A queue that allows taking from both ends and leaving from anywhere. */
export class WaitingLine<T> {
  readonly #places = new Map<T, number>();
  readonly #entries = new Map<number, T>();
  #first = 0;
  #next = 0;

  get size(): number {
    return this.#places.size;
  }

  add(entry: T): void {
    this.#places.set(entry, this.#next);
    this.#entries.set(this.#next, entry);
    this.#next += 1;
  }

  delete(entry: T): boolean {
    const place = this.#places.get(entry);
    if (place === undefined) return false;
    this.#places.delete(entry);
    this.#entries.delete(place);
    return true;
  }

  get oldest(): T | undefined {
    while (this.#first < this.#next && !this.#entries.has(this.#first)) this.#first += 1;
    return this.#entries.get(this.#first);
  }

  get newest(): T | undefined {
    while (this.#next > this.#first && !this.#entries.has(this.#next - 1)) this.#next -= 1;
    return this.#entries.get(this.#next - 1);
  }
}
