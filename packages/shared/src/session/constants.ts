/**
 * Implementation constants of the session: each side may choose its own without breaking the protocol.
 */

/** What is sent and not acknowledged is kept for a resume, up to this. At the bound no numbered frames go out. */
export const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

/** What keeping one frame costs besides its bytes. */
export const LOG_ENTRY_OVERHEAD_BYTES = 64;

/** An acknowledgement goes out by itself after this long, in ms, … */
export const ACKNOWLEDGE_DELAY_MS = 25;
/** … or once this much was received. */
export const ACKNOWLEDGE_BYTES = 128 * 1024;

/**
 * So many links in a row that end in a `protocol-error`, with nothing new received or acknowledged since the first, end the
 * session: the next one would fare no better.
 */
export const FAULT_LIMIT = 3;

/** An ACKNOWLEDGEMENT frame. Room is kept for one at the end of each record. */
export const ACKNOWLEDGEMENT_BYTES = 12;

/** A CREDIT frame, and a HEARTBEAT frame. */
export const CREDIT_BYTES = 16;
export const HEARTBEAT_BYTES = 21;

/**
 * Notices that wait for a link that takes no record. Counts of refused visitors beyond it are dropped: later ones count
 * them, too. A good-bye behind as many still fits into the last record.
 */
export const NOTICE_LIMIT = 128;

/** What a client replays before it knows what the server already has. More would often be sent twice. */
export const UNCONFIRMED_REPLAY_BYTES = 64 * 1024;

/** Bytes of one stream that are taken from its socket before the link took them. Above it the socket is not read. */
export const SEND_QUEUE_BYTES = 384 * 1024;

/** What a session that uses its share of the budget leaves unacknowledged before it sends more data. */
export const CROWDED_LOG_BYTES = 256 * 1024;

/** Control frames that wait for a link or for room in the log. A peer that makes it grow further breaks the protocol. */
export const CONTROL_QUEUE_LIMIT = 65_536;

/** A socket that was not read because its stream could not send is read again once this much may be sent. */
export const WRITABLE_AGAIN_BYTES = 16 * 1024;

/** Data is not cut into pieces below this size only to fill a record. */
export const LEAST_PIECE_BYTES = 1024;

/** A half-closed stream on which nothing moved for this long is reset, in ms. */
export const HALF_CLOSED_IDLE_MS = 10 * 60 * 1000;

/**
 * Chunks below the first size that wait in a row are put together in one of up to the second, on their way to a link as to a
 * socket. They hold little more than their bytes, and a service that writes a little at a time gets about twice as much
 * through (measured with 1 KiB) as with a frame for each.
 */
export const GATHER_BELOW_BYTES = 4 * 1024;
export const GATHER_BYTES = 16 * 1024;

/**
 * A queue of so many chunks is looked through for small ones: by itself each costs some hundred bytes besides its own. Below
 * it they are put together when they are sent, which costs less.
 */
export const COMPACT_CHUNKS = 64;

/**
 * What a stream may send before it is another stream's turn, and at most a third of a record. What Node reads from a socket
 * at a time is as much, and then goes out in one piece.
 */
export const QUANTUM_BYTES = 64 * 1024;
