import { performance } from 'node:perf_hooks';

/** Milliseconds of the monotonic clock that all sessions of this process are driven by. */
export function monotonicNow(): number {
  return performance.now();
}
