/** What a person can do about a failure, in words: one lower-case clause without a full stop. */
export interface Advice {
  readonly text: string;
  /** False: nothing has to be done, as it will pass. */
  readonly isNeeded: boolean;
}

/** Something to do. */
export function advise(text: string): Advice {
  return { text, isNeeded: true };
}

/** Nothing to do, and why not. */
export function noNeed(text = 'nothing to do'): Advice {
  return { text, isNeeded: false };
}
