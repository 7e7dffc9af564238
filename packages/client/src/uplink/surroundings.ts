import { networkInterfaces } from 'node:os';
import { monotonicNow } from '@tunnel/shared/node';

/** How often the machine is looked at, in ms. */
const LOOK_MS = 1_000;

/** The clocks may part by this much between two looks, in ms: more means that the machine slept, or the clock was set. */
const CLOCK_JUMP_MS = 2_000;

/** What is looked at. */
export interface Surroundings {
  /** Stands still while the machine sleeps, in ms. */
  readonly monotonicMs: number;
  /** Goes on while the machine sleeps, in ms. */
  readonly wallMs: number;
  /** The machine's network addresses, as one text; undefined where the system does not tell just now. */
  readonly addresses: string | undefined;
}

export type SurroundingsChange = 'woke' | 'network-changed';

/** What the difference between two looks means for links and waits; undefined for nothing. */
export function changeBetween(before: Surroundings, after: Surroundings): SurroundingsChange | undefined {
  if (after.addresses !== undefined && before.addresses !== after.addresses) return 'network-changed';
  const elapsedMs = after.monotonicMs - before.monotonicMs;
  const wallMs = after.wallMs - before.wallMs;
  // The process stood still, or one clock went on without the other.
  const stoodStill = elapsedMs > LOOK_MS + CLOCK_JUMP_MS;
  return stoodStill || Math.abs(wallMs - elapsedMs) > CLOCK_JUMP_MS ? 'woke' : undefined;
}

/** Looks at the machine once a second and tells when it woke or its addresses changed. */
export class SurroundingsWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;

  constructor(onChange: (change: SurroundingsChange) => void, look: () => Surroundings = lookAround) {
    let before = look();
    this.#timer = setInterval(() => {
      const after = look();
      const change = changeBetween(before, after);
      before = { ...after, addresses: after.addresses ?? before.addresses };
      if (change) onChange(change);
    }, LOOK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function lookAround(): Surroundings {
  return { monotonicMs: monotonicNow(), wallMs: Date.now(), addresses: networkAddresses() };
}

function networkAddresses(): string | undefined {
  const addresses: string[] = [];
  try {
    for (const [name, list] of Object.entries(networkInterfaces())) {
      for (const { address } of list ?? []) addresses.push(`${name} ${address}`);
    }
  } catch {
    return undefined; // No file descriptor is left to ask with, or the system forbids it.
  }
  return addresses.toSorted().join(', ');
}
