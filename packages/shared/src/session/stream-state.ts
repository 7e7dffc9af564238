/**
 * The life of a stream, as two tables: what this side sends, and what it receives. A transition that is not in a table is
 * illegal. A stream is over once the peer has our end and we have the peer's.
 */

/**
 * - `open`: bytes may be written.
 * - `ending`: the end was asked for, bytes are still queued before it.
 * - `ended`: END was numbered and handed to a link.
 * - `resetting`: RESET waits for a link.
 * - `reset`: RESET was numbered and handed to a link.
 * - `finished`: the peer has our END.
 * - `gone`: the peer has our RESET.
 */
export type OutgoingState = 'open' | 'ending' | 'ended' | 'finished' | 'resetting' | 'reset' | 'gone';
export type OutgoingEvent = 'end' | 'reset' | 'end-sent' | 'reset-sent' | 'end-acknowledged' | 'reset-acknowledged';

export const OUTGOING: Readonly<Record<OutgoingState, Partial<Record<OutgoingEvent, OutgoingState>>>> = {
  open: { end: 'ending', reset: 'resetting' },
  ending: { 'end-sent': 'ended', reset: 'resetting' },
  ended: { 'end-acknowledged': 'finished', reset: 'resetting' },
  // The peer still sends: it can be told to stop.
  finished: { reset: 'resetting' },
  // The END that a RESET follows may be acknowledged meanwhile: what counts now is the RESET.
  resetting: { 'reset-sent': 'reset', 'end-acknowledged': 'resetting' },
  reset: { 'reset-acknowledged': 'gone', 'end-acknowledged': 'reset' },
  // Not even another RESET: the peer would take a second one for a fault.
  gone: {},
};

/**
 * - `open`: bytes arrive.
 * - `discarding`: we reset the stream; what still arrives is dropped.
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
