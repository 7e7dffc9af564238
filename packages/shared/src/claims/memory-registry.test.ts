import { MemoryRegistry } from './memory-registry.ts';
import { describeRegistry } from './testing/registry-suite.ts';

describeRegistry('in memory', () => {
  const clusters = new Map<string, MemoryRegistry>();
  return Promise.resolve({
    connect: (cluster: string) => {
      const registry = clusters.get(cluster) ?? new MemoryRegistry();
      clusters.set(cluster, registry);
      return Promise.resolve(registry);
    },
    [Symbol.asyncDispose]: async () => {
      for (const registry of clusters.values()) await registry[Symbol.asyncDispose]();
    },
  });
});
