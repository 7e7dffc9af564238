import type { Duplex } from 'node:stream';

const held = new WeakSet<Duplex>();

/**
 * A service may send any number of interim answers, which Node does not hold back: nothing more of it is read until the
 * visitor took what is there.
 */
export function holdBack(service: Duplex | null, visitor: Duplex): void {
  if (!service || !visitor.writableNeedDrain || held.has(service)) return;
  held.add(service);
  // At the end of each message, also of an interim answer, Node has the connection read on.
  process.nextTick(() => service.pause());
  const goOn = (): void => {
    held.delete(service);
    visitor.off('drain', goOn).off('close', goOn);
    process.nextTick(() => service.resume());
  };
  visitor.on('drain', goOn).on('close', goOn);
}
