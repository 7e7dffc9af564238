/** In the order of the table. `bare`: Node with nothing but forwarding. `local`: through a TCP tunnel. */
export const PATH_NAMES = ['tunnel', 'direct', 'bare', 'ssh', 'nginx', 'local'] as const;

export type PathName = (typeof PATH_NAMES)[number];

/** How long and how often is measured. */
export interface Settings {
  readonly rounds: number;
  /** How long one figure is measured, in ms. */
  readonly measureMs: number;
  /** What runs before that, uncounted, in ms: windows grow, and code is compiled. */
  readonly warmUpMs: number;
  /** Whether bare relays and OpenSSH are measured too. */
  readonly withOthers: boolean;
}

/** What a figure was in one round, by the path that was measured. */
export type Round = Readonly<Partial<Record<PathName, number>>>;

/** What is asked of the median. */
export type Target =
  | {
      readonly kind: 'at-least-times' | 'at-most-times';
      readonly of: Exclude<PathName, 'tunnel'>;
      readonly times: number;
    }
  | { readonly kind: 'at-least' | 'at-most'; readonly value: number };

/** One line of the result. */
export interface Row {
  /** What `--only` names. */
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly rounds: readonly Round[];
  readonly target?: Target;
}

/** What is measured together. */
export interface Scenario {
  /** Names of its rows, for `--only`. */
  readonly names: readonly string[];
  /** Whether `--quick` measures it. */
  readonly isQuick: boolean;
  measure(settings: Settings): Promise<readonly Row[]>;
}

/** Collects a figure round by round, for rows that grow side by side. */
export class Rounds {
  readonly #rounds: Partial<Record<PathName, number>>[] = [];

  set(round: number, path: PathName, value: number): void {
    this.#rounds[round] = { ...this.#rounds[round], [path]: value };
  }

  get all(): readonly Round[] {
    return this.#rounds;
  }
}
