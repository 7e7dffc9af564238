/** Implementation constants: each side may choose its own without breaking the protocol. */

/**
 * The smallest receive window of a stream. It is not charged to the budget, because without it the stream would stall.
 */
export const LEAST_WINDOW_BYTES = 16 * 1024;

/** How much a stream may carry before its first CREDIT, while memory is plentiful. */
export const FIRST_CREDIT_BYTES = 256 * 1024;

/**
 * First credits come out of half of the budget: each new one is at most this fraction of what is left of that half. So
 * idle streams alone never make a session crowded.
 */
export const FIRST_CREDIT_PARTS = 128;

/** The first credits of all streams of a session may total this fraction of what is left of a client's budget. */
export const FIRST_CREDIT_TOTAL_PARTS = 4;

/** A server takes this fraction of what is left of that for a stream, but at least the smallest window while it can. */
export const FIRST_CREDIT_TAKEN_PARTS = 128;

/** The largest receive window of a stream. */
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024;

/**
 * The most that may wait in all sessions of a process together (see `MemoryBudget`). A session uses at most half of it.
 * Beyond it, streams are reset.
 */
export const MEMORY_BUDGET_BYTES = 160 * 1024 * 1024;

/** Beyond the budget, bytes that have just arrived count as if they had waited this long, in ms. */
export const YOUNG_MS = 1_000;

/** Added to round trips when sizing a window, for batching and event loop delays, in ms. */
export const WINDOW_SLACK_MS = 5;
