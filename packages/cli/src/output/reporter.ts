import type { EventEmitter } from 'node:events';
import { printableValue } from './printable.ts';

/** What was not told since the last line of its kind. */
export interface Repeats {
  readonly count: number;
  /** They are not all from the sender that is named: there were too many. */
  readonly areMixed: boolean;
}

/**
 * Tells what it is told, by event name. Events that it has nothing to say about are left out. With `repeats`, the event
 * stands for so many like it.
 */
export type Reporter<Events> = { readonly [Name in keyof Events]?: (event: Events[Name], repeats?: Repeats) => void };

/** Has a reporter told all events of a client or server, with what peers wrote made printable. */
export function reportEvents<Events>(
  source: EventEmitter<{ [Name in keyof Events]: [Events[Name]] }>,
  reporter: Reporter<Events>,
): void {
  // The types of the emitter itself do not follow a name that is a type parameter.
  const untyped = source as unknown as EventEmitter;
  for (const name of Object.keys(reporter) as (keyof Events & string)[]) {
    untyped.on(name, (event: Events[typeof name]) => reporter[name]?.(printableValue(event)));
  }
}

/** The same reporter, which is told nothing before `release`, and then all at once. */
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
