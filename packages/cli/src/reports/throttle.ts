import { monotonicNow } from '@tunnel/shared/node';
import { type DigestLimits, MessageDigests } from './message-digests.ts';
import type { Reporter } from '../output/reporter.ts';

/** The longest wait of a timer, in ms; sums are due sooner. */
const MAX_TIMER_MS = 60_000;

/** What tells an event's repeats from others, and how many of them are told. */
interface ThrottleRule<Event> {
  readonly key: (event: Event) => string;
  readonly limits: DigestLimits;
}

/** By event name. Those without a rule are told as they come. */
export type ThrottleRules<Events> = { readonly [Name in keyof Events]?: ThrottleRule<Events[Name]> };

/**
 * The same reporter, told the first of many like events at once and of the others only how many they were: it gets the last
 * of them, with their number.
 */
export function throttled<Events extends { readonly stopped: unknown }>(
  reporter: Reporter<Events>,
  rules: ThrottleRules<Events>,
  now: () => number = monotonicNow,
): Reporter<Events> {
  const throttles: { finish(): void }[] = [];
  const tells: { [Name in keyof Events]?: (event: Events[Name]) => void } = {};
  for (const name of Object.keys(rules) as (keyof Events)[]) {
    const rule = rules[name];
    if (rule === undefined || reporter[name] === undefined) continue;
    const throttle = new Throttle(name, rule, reporter, now);
    throttles.push(throttle);
    tells[name] = (event) => throttle.report(event);
  }
  return {
    ...reporter,
    ...tells,
    stopped: (event) => {
      for (const throttle of throttles) throttle.finish();
      reporter.stopped?.(event);
    },
  };
}

class Throttle<Events, Name extends keyof Events> {
  readonly #name: Name;
  readonly #rule: ThrottleRule<Events[Name]>;
  readonly #reporter: Reporter<Events>;
  readonly #now: () => number;
  readonly #digests: MessageDigests<Events[Name]>;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(name: Name, rule: ThrottleRule<Events[Name]>, reporter: Reporter<Events>, now: () => number) {
    this.#name = name;
    this.#rule = rule;
    this.#reporter = reporter;
    this.#now = now;
    this.#digests = new MessageDigests(rule.limits);
  }

  report(event: Events[Name]): void {
    if (this.#digests.add(this.#rule.key(event), event, this.#now())) this.#reporter[this.#name]?.(event);
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
