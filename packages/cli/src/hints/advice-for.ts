import type { ClientEvents } from '@tunnel/client';
import { type ErrorCode, type Hint, isErrorCode, type TunnelError } from '@tunnel/shared';
import type { Reporter } from '../output/reporter.ts';
import { type Advice, advise } from './advice.ts';
import { CommandError } from './command-error.ts';
import { ADVICE_BY_CODE, SPECIAL_ADVICE } from './words.ts';

/** What a person can do about a failure. */
export function adviceFor(error: TunnelError): Advice {
  return error instanceof CommandError ? advise(error.advice) : adviceOf(error.hint);
}

/** The wording of a hint. */
export function adviceOf(hint: Hint): Advice {
  if (isErrorCode(hint.id)) return ADVICE_BY_CODE[hint.id];
  const special = SPECIAL_ADVICE[hint.id] as (hint: Hint) => Advice;
  return special(hint);
}

/** Whether a person has to act after a failure. For a code from another version this is unknown, so show the advice. */
export function isAdviceNeeded(code: string): boolean {
  return !isErrorCode(code) || ADVICE_BY_CODE[code].isNeeded;
}

/** An event with its hint in words. */
type Advised<Event> = Event extends { readonly hint: Hint } ? Omit<Event, 'hint'> & { readonly advice: Advice } : Event;

/** A client's events, for people and scripts. */
export type AdvisedClientEvents = { [Name in keyof ClientEvents]: Advised<ClientEvents[Name]> };

/** Puts the hints of a client's events into words. `complete` may add what this process knows about the cause. */
export function advising(
  reporter: Reporter<AdvisedClientEvents>,
  complete: (code: ErrorCode, advice: Advice) => Advice = (_code, advice) => advice,
): Reporter<ClientEvents> {
  const advised = <Event extends { readonly code: ErrorCode; readonly hint: Hint }>({ hint, ...event }: Event) => ({
    ...event,
    advice: complete(event.code, adviceOf(hint)),
  });
  return {
    ...reporter,
    retrying: (event) => reporter.retrying?.(advised(event)),
    warning: (event) => reporter.warning?.(advised(event)),
    stopped: (event) => reporter.stopped?.(advised(event)),
  };
}
