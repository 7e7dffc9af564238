/** Implementation constants: each side may choose its own without breaking the protocol. */

/** The smallest receive window of a stream. It is not charged to the budget: without it the stream would stand still. */
export const LEAST_WINDOW_BYTES = 16 * 1024;

/** What a stream may carry before its first CREDIT, while memory is plentiful. */
export const FIRST_CREDIT_BYTES = 256 * 1024;

/**
 * First credits come out of half of the budget: each new one is at most this part of what is left of that half. So idle streams
 * alone never make a session crowded.
 */
export const FIRST_CREDIT_PARTS = 128;

/** This part of what is left of a client's budget is the most that the first credits of all streams of a session add up to. */
export const FIRST_CREDIT_TOTAL_PARTS = 4;

/** Of what is left of that, a server takes this part for a stream, and not less than the smallest window while it can. */
export const FIRST_CREDIT_TAKEN_PARTS = 128;

/** The largest receive window of a stream. */
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024;

/**
 * What may wait in all sessions of a process together (see `MemoryBudget`). A session uses at most half of it. Beyond it, streams
 * are reset.
 */
export const MEMORY_BUDGET_BYTES = 160 * 1024 * 1024;

/** Beyond the budget, bytes that came just now count as if they had waited for so long, in ms. */
export const YOUNG_MS = 1_000;

/** Round trips look this much longer to a window than they are: batches and event loops take their time. In ms. */
export const WINDOW_SLACK_MS = 5;
