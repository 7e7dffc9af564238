import type { EventEmitter } from 'node:events';
import { printableValue } from './printable.ts';

/** Events not reported since the last line of the same kind. */
export interface Repeats {
  readonly count: number;
  /** They are not all from the named sender: there were too many senders. */
  readonly areMixed: boolean;
}

/**
 * Reports events, by name. Events without a handler are ignored. With `repeats`, the event stands for that many like
 * it.
 */
export type Reporter<Events> = { readonly [Name in keyof Events]?: (event: Events[Name], repeats?: Repeats) => void };

/** Passes all events of a client or server to a reporter, with text from peers made printable. */
export function reportEvents<Events>(
  source: EventEmitter<{ [Name in keyof Events]: [Events[Name]] }>,
  reporter: Reporter<Events>,
): void {
  // The emitter's own types cannot handle an event name that is a type parameter.
  const untyped = source as unknown as EventEmitter;
  for (const name of Object.keys(reporter) as (keyof Events & string)[]) {
    untyped.on(name, (event: Events[typeof name]) => reporter[name]?.(printableValue(event)));
  }
}

/** The same reporter, but events are held back until `release`. */
export function heldBack<Events>(reporter: Reporter<Events>): {
  readonly reporter: Reporter<Events>;
  readonly release: () => void;
} {
  let waiting: (() => void)[] | undefined = [];
  const held: { [Name in keyof Events]?: (event: Events[Name]) => void } = {};
  for (const name of Object.keys(reporter) as (keyof Events)[]) {
    held[name] = (event) => {
      if (waiting === undefined) reporter[name]?.(event);
      else waiting.push(() => reporter[name]?.(event));
    };
  }
  const release = (): void => {
    const told = waiting ?? [];
    waiting = undefined;
    for (const tell of told) tell();
  };
  return { reporter: held, release };
}
