/**
 * The life of a stream as two tables: what this side sends and what it receives. A transition that is not in the table
 * is illegal. A stream is over once each side has the other's end.
 */

/**
 * - `open`: bytes may be written.
 * - `ending`: the end was requested; bytes are still queued before it.
 * - `ended`: END was numbered and handed to a link.
 * - `closing`: a failure was reported while `ending`; RESET follows the END.
 * - `failing`: a failure was reported; RESET waits for the bytes that are still queued.
 * - `failed`: that RESET was numbered and handed to a link after all bytes.
 * - `resetting`: RESET waits for a link; bytes before it are withdrawn.
 * - `reset`: that RESET was numbered and handed to a link.
 * - `finished`: the peer has our END.
 * - `gone`: the peer has our RESET.
 */
export type OutgoingState =
  'open' | 'ending' | 'ended' | 'finished' | 'closing' | 'failing' | 'failed' | 'resetting' | 'reset' | 'gone';
export type OutgoingEvent =
  'end' | 'fail' | 'reset' | 'end-sent' | 'reset-sent' | 'end-acknowledged' | 'reset-acknowledged';

export const OUTGOING: Readonly<Record<OutgoingState, Partial<Record<OutgoingEvent, OutgoingState>>>> = {
  open: { end: 'ending', fail: 'failing', reset: 'resetting' },
  ending: { 'end-sent': 'ended', fail: 'closing', reset: 'resetting' },
  ended: { 'end-acknowledged': 'finished', fail: 'failing', reset: 'resetting' },
  // The peer is still sending and can be told to stop.
  finished: { fail: 'failing', reset: 'resetting' },
  closing: { 'end-sent': 'failing', reset: 'resetting' },
  // An END that was sent before the failure may be acknowledged at any time.
  failing: { 'reset-sent': 'failed', 'end-acknowledged': 'failing', reset: 'resetting' },
  // The RESET has already been sent; now the bytes before it are no longer resent.
  failed: { 'reset-acknowledged': 'gone', 'end-acknowledged': 'failed', reset: 'reset' },
  // The END before a RESET may still be acknowledged; what counts now is the RESET.
  resetting: { 'reset-sent': 'reset', 'end-acknowledged': 'resetting' },
  reset: { 'reset-acknowledged': 'gone', 'end-acknowledged': 'reset' },
  // Not even another RESET: the peer would treat a second one as a violation.
  gone: {},
};

/**
 * - `open`: bytes arrive.
 * - `discarding`: the local side is gone; what still arrives is dropped.
 * - `ended`, `reset`: the peer sent END, or RESET.
 */
export type IncomingState = 'open' | 'discarding' | 'ended' | 'reset';
export type IncomingEvent = 'end' | 'reset' | 'discard';

export const INCOMING: Readonly<Record<IncomingState, Partial<Record<IncomingEvent, IncomingState>>>> = {
  open: { end: 'ended', reset: 'reset', discard: 'discarding' },
  discarding: { end: 'ended', reset: 'reset', discard: 'discarding' },
  ended: { reset: 'reset', discard: 'ended' },
  reset: { discard: 'reset' },
};

export function isOver(outgoing: OutgoingState, incoming: IncomingState): boolean {
  return (outgoing === 'finished' || outgoing === 'gone') && (incoming === 'ended' || incoming === 'reset');
}
