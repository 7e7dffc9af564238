import { printableValue } from './printable.ts';

/** Tells what it is told, by event name. Events that it has nothing to say about are left out. */
export type Reporter<Events> = { readonly [Name in keyof Events]?: (event: Events[Name]) => void };

interface Source<Events> {
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): unknown;
}

/** Has a reporter told all events of a client or server, with what peers wrote made printable. */
export function reportEvents<Events>(source: Source<Events>, reporter: Reporter<Events>): void {
  for (const name of Object.keys(reporter) as (keyof Events)[]) {
    source.on(name, (event) => reporter[name]?.(printableValue(event)));
  }
}
