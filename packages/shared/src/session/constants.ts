/**
 * Implementation constants of the session: each side may choose its own without breaking the protocol.
 */

/** The most sent but unacknowledged data to keep for a resume. At the limit no numbered frames are sent. */
export const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

/** Overhead of keeping one frame, besides its bytes. */
export const LOG_ENTRY_OVERHEAD_BYTES = 64;

/** An acknowledgement is sent on its own after this long, in ms, … */
export const ACKNOWLEDGE_DELAY_MS = 25;
/** … or once this much has been received. */
export const ACKNOWLEDGE_BYTES = 128 * 1024;

/**
 * After this many links in a row that end in a `protocol-error` without new data received or acknowledged since the
 * first, the session ends: the next link would fare no better.
 */
export const FAULT_LIMIT = 3;

/** An ACKNOWLEDGEMENT frame. Room for one is reserved at the end of each record. */
export const ACKNOWLEDGEMENT_BYTES = 12;

/** A CREDIT frame, and a HEARTBEAT frame. */
export const CREDIT_BYTES = 16;
export const HEARTBEAT_BYTES = 21;

/**
 * The most notices queued for a link that takes no record. Further counts of refused visitors are dropped, since later
 * counts include them. A good-bye still fits into the last record after that many.
 */
export const NOTICE_LIMIT = 128;

/** How much a client replays before it knows what the server already has. Anything more would often be sent twice. */
export const UNCONFIRMED_REPLAY_BYTES = 64 * 1024;

/** How many bytes of one stream are read ahead of the link. At the limit its socket is not read. */
export const SEND_QUEUE_BYTES = 384 * 1024;

/**
 * How much unacknowledged data a session that uses up its share of the memory budget may have before it stops sending
 * more.
 */
export const CROWDED_LOG_BYTES = 256 * 1024;

/**
 * The most control frames queued for a link or for room in the log. A peer that makes the queue grow further violates
 * the protocol.
 */
export const CONTROL_QUEUE_LIMIT = 65_536;

/** A socket paused because its stream could not send is read again once this much may be sent. */
export const WRITABLE_AGAIN_BYTES = 16 * 1024;

/** Data is not split into pieces smaller than this just to fill a record. */
export const LEAST_PIECE_BYTES = 1024;

/** A half-closed stream without any progress for this long is reset, in ms. */
export const HALF_CLOSED_IDLE_MS = 10 * 60 * 1000;

/**
 * Consecutive waiting chunks below the first size are merged into chunks of up to the second, on their way to a link as
 * well as to a socket. That avoids the per-chunk overhead, and a service that writes a little at a time gets about
 * twice the throughput (measured with 1 KiB) of a frame for each.
 */
export const GATHER_BELOW_BYTES = 4 * 1024;
export const GATHER_BYTES = 16 * 1024;

/**
 * A queue of this many chunks is scanned for small ones to merge, since each costs some hundred bytes of overhead.
 * Shorter queues are merged on sending, which is cheaper.
 */
export const COMPACT_CHUNKS = 64;

/**
 * How much a stream may send before it is another stream's turn, limited to a third of a record. Node reads as much
 * from a socket at a time, which then goes out in one piece.
 */
export const QUANTUM_BYTES = 64 * 1024;
