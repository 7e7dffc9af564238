import { AsyncLocalStorage, createHook } from 'node:async_hooks';

/** How long resources may take to go away after the function has ended, in milliseconds. */
const settleMs = 2_000;

/** What keeps a process alive for longer than one operation, by Node's names for asynchronous resources. */
const watchedTypes = new Set([
  'Timeout',
  'TCPWRAP',
  'TCPSERVERWRAP',
  'PIPEWRAP',
  'PIPESERVERWRAP',
  'UDPWRAP',
  'TTYWRAP',
  'PROCESSWRAP',
  'SIGNALWRAP',
  'FSEVENTWRAP',
  'STATWATCHER',
  'WORKER',
  'MESSAGEPORT',
]);

interface Resource {
  readonly type: string;
  readonly handle: { hasRef?: () => boolean };
}

/**
 * Runs `fn` and fails unless every socket, server, timer, signal listener and child process that it opened, directly
 * or not, is gone within two seconds after it, with the names of what is left. Returns what `fn` returns. What is
 * unref'ed does not count.
 *
 * It follows what `fn` itself opens, since a count before and after (`process.getActiveResourcesInfo()`) is thrown off by
 * the timers of the test runner, and lets a leak pass when one of those goes away meanwhile.
 */
export async function expectNothingLeftOpen<T>(fn: () => T | Promise<T>): Promise<T> {
  const opened = new Map<number, Resource>();
  const inside = new AsyncLocalStorage<true>();
  const hook = createHook({
    init(id, type, _triggerId, handle) {
      if (watchedTypes.has(type) && inside.getStore() === true) opened.set(id, { type, handle });
    },
    destroy(id) {
      opened.delete(id);
    },
  });
  hook.enable();
  try {
    const result = await inside.run(true, fn);
    await settle(opened);
    return result;
  } finally {
    hook.disable();
  }
}

async function settle(opened: ReadonlyMap<number, Resource>): Promise<void> {
  const deadlineMs = performance.now() + settleMs;
  for (;;) {
    const left = [...opened.values()].filter(({ handle }) => handle.hasRef?.() === true);
    if (left.length === 0) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`still open: ${left.map(({ type }) => type).join(', ')}`);
    }
    // A turn of the event loop: handles close, and timers fire, between two of them.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
