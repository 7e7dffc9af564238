import type { ServerEvents } from '@tunnel/server';
import { monotonicNow } from '@tunnel/shared/node';
import { MessageDigests } from './message-digests.ts';
import type { Reporter } from './reporter.ts';

/** Events that strangers and visitors cause, as often as they like, each with what tells its repeats from others. */
const KEYS: { readonly [Name in ThrottledName]: (event: ServerEvents[Name]) => string } = {
  'client-refused': ({ code, address }) => `${code} ${address.slice(0, address.lastIndexOf(':'))}`,
  'visitor-refused': ({ code, port }) => `${code} ${port}`,
  warning: ({ code }) => code,
};

type ThrottledName = 'client-refused' | 'visitor-refused' | 'warning';

/** The longest wait of a timer, in ms; sums are due sooner. */
const MAX_TIMER_MS = 60_000;

/**
 * The same reporter, told the first of many like events at once and of the others only how many they were: it gets the last
 * of them, with their number. For lines that people read; scripts get each event.
 */
export function throttled(reporter: Reporter<ServerEvents>, now: () => number = monotonicNow): Reporter<ServerEvents> {
  const throttles = [
    new Throttle('client-refused', reporter, now),
    new Throttle('visitor-refused', reporter, now),
    new Throttle('warning', reporter, now),
  ] as const;
  const [clientRefused, visitorRefused, warning] = throttles;
  return {
    ...reporter,
    'client-refused': (event) => clientRefused.report(event),
    'visitor-refused': (event) => visitorRefused.report(event),
    warning: (event) => warning.report(event),
    stopped: (event) => {
      for (const throttle of throttles) throttle.finish();
      reporter.stopped?.(event);
    },
  };
}

class Throttle<Name extends ThrottledName> {
  readonly #name: Name;
  readonly #reporter: Reporter<ServerEvents>;
  readonly #now: () => number;
  readonly #digests = new MessageDigests<ServerEvents[Name]>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(name: Name, reporter: Reporter<ServerEvents>, now: () => number) {
    this.#name = name;
    this.#reporter = reporter;
    this.#now = now;
  }

  report(event: ServerEvents[Name]): void {
    if (this.#digests.add(KEYS[this.#name](event), event, this.#now())) this.#reporter[this.#name]?.(event);
    this.#arm();
  }

  finish(): void {
    clearTimeout(this.#timer);
    for (const [event, repeats] of this.#digests.takeAll()) this.#reporter[this.#name]?.(event, repeats);
  }

  #arm(): void {
    const { deadline } = this.#digests;
    if (deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    const delayMs = Math.min(Math.max(0, Math.ceil(deadline - this.#now())), MAX_TIMER_MS);
    // A sum keeps no process alive.
    this.#timer = setTimeout(() => this.#onTimer(), delayMs).unref();
  }

  #onTimer(): void {
    this.#timerAt = Infinity;
    for (const [event, repeats] of this.#digests.take(this.#now())) this.#reporter[this.#name]?.(event, repeats);
    this.#arm();
  }
}
