import { describe, expect, test } from 'vitest';
import type { Change, Entry, Registry } from '../registry.ts';

/** The store behind a registry: a separate process, or plain memory. */
export interface Engine extends AsyncDisposable {
  /** Another connection to the entries of `cluster`, as another server would make it. */
  connect(cluster: string): Promise<Registry>;
}

/** Records what one watcher receives, and the state that follows from it. */
class Observer {
  readonly changes: Change[] = [];
  readonly snapshots: (readonly Entry[])[] = [];
  readonly view = new Map<string, Entry>();

  snapshot(entries: readonly Entry[]): void {
    this.snapshots.push(entries);
    this.view.clear();
    for (const entry of entries) this.view.set(entry.key, entry);
  }

  changed(change: Change): void {
    this.changes.push(change);
    if (change.value === undefined) this.view.delete(change.key);
    else this.view.set(change.key, change);
  }

  lost(): void {
    this.view.clear();
  }
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { timeout: 20_000, interval: 5 }).toBe(true);
}

/** What `Claims` relies on. Every adapter must pass. */
export function describeRegistry(name: string, startEngine: () => Promise<Engine>): void {
  async function withEngine(body: (connect: (cluster?: string) => Promise<Registry>) => Promise<void>): Promise<void> {
    await using engine = await startEngine();
    await body((cluster = 'tunnel') => engine.connect(cluster));
  }

  describe(`the registry ${name}`, () => {
    test('100 racing creates have one winner, and the others are told who won', async () => {
      await withEngine(async (connect) => {
        const registries = await Promise.all(Array.from({ length: 4 }, () => connect()));
        const written = await Promise.all(
          Array.from({ length: 100 }, (_, index) => registries[index % 4]!.write('port/1', `${index}`, 0)),
        );
        const winners = [...written.entries()].filter(([, { ok }]) => ok);
        expect(winners.length).toBe(1);
        const told = new Set(written.map((outcome) => (outcome.ok ? undefined : outcome.current?.value)));
        expect(told).toEqual(new Set([undefined, `${winners[0]![0]}`]));
      });
    });

    test('100 racing updates of one revision have one winner', async () => {
      await withEngine(async (connect) => {
        const registry = await connect();
        const created = await registry.write('port/1', 'first', 0);
        if (!created.ok) throw new Error('it already exists');
        const written = await Promise.all(
          Array.from({ length: 100 }, (_, index) => registry.write('port/1', `${index}`, created.revision)),
        );
        expect(written.filter(({ ok }) => ok).length).toBe(1);
      });
    });

    test('a stale update and a stale delete change nothing, and are told what is there', async () => {
      await withEngine(async (connect) => {
        const registry = await connect();
        const first = await registry.write('port/1', 'a', 0);
        const second = await registry.write('port/1', 'b', first.ok ? first.revision : -1);
        if (!first.ok || !second.ok) throw new Error('not written');
        expect(second.revision).toBeGreaterThan(first.revision);
        const current = { key: 'port/1', value: 'b', revision: second.revision };
        expect(await registry.write('port/1', 'c', first.revision)).toEqual({ ok: false, current });
        expect(await registry.write('port/1', undefined, first.revision)).toEqual({ ok: false, current });
        expect(await registry.write('port/1', 'c', 0)).toEqual({ ok: false, current });
      });
    });

    test('a key can be created again after it was deleted', async () => {
      await withEngine(async (connect) => {
        const registry = await connect();
        const created = await registry.write('port/1', 'a', 0);
        const deleted = await registry.write('port/1', undefined, created.ok ? created.revision : -1);
        expect(deleted.ok).toBe(true);
        expect(await registry.write('port/1', 'b', created.ok ? created.revision : -1)).toMatchObject({ ok: false });
        const again = await registry.write('port/1', 'b', 0);
        expect(again.ok && deleted.ok && again.revision > deleted.revision).toBe(true);
      });
    });

    test('a watcher of an empty registry is told that it is empty', async () => {
      await withEngine(async (connect) => {
        const observer = new Observer();
        using _watch = (await connect()).watch(observer);
        await waitUntil(() => observer.snapshots.length > 0);
        expect(observer.snapshots).toEqual([[]]);
      });
    });

    test('a watcher that comes in the middle of writes misses none and sees none twice', async () => {
      await withEngine(async (connect) => {
        const [writer, reader] = [await connect(), await connect()];
        const expected = new Map<string, string | undefined>();
        const revisions = new Map<string, number>();
        const observers: Observer[] = [];
        const watches: Disposable[] = [];
        for (let index = 0; index < 300; index += 1) {
          const key = `port/${index % 20}`;
          const value = index % 7 === 6 ? undefined : `${index}`;
          if (value === undefined && !revisions.has(key)) continue;
          const written = await writer.write(key, value, revisions.get(key) ?? 0);
          if (!written.ok) throw new Error(`write ${index} of the only writer was refused`);
          if (value === undefined) revisions.delete(key);
          else revisions.set(key, written.revision);
          expected.set(key, value);
          if (index % 60 !== 30) continue;
          const observer = new Observer();
          observers.push(observer);
          watches.push(reader.watch(observer));
        }
        const wanted = [...expected].filter(([, value]) => value !== undefined);
        for (const observer of observers) {
          const isComplete = (): boolean =>
            observer.view.size === wanted.length &&
            wanted.every(([key, value]) => observer.view.get(key)?.value === value);
          await waitUntil(isComplete);
          const told = observer.changes.map(({ revision }) => revision);
          expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b));
          const inSnapshot = observer.snapshots[0]!.map(({ revision }) => revision);
          expect(told.filter((revision) => inSnapshot.includes(revision))).toEqual([]);
        }
        for (const watch of watches) watch[Symbol.dispose]();
      });
    });

    test('a watcher that was disposed of hears nothing more', async () => {
      await withEngine(async (connect) => {
        const registry = await connect();
        const [gone, still] = [new Observer(), new Observer()];
        using watch = registry.watch(gone);
        using _other = registry.watch(still);
        await waitUntil(() => gone.snapshots.length + still.snapshots.length === 2);
        watch[Symbol.dispose]();
        await registry.write('port/1', 'a', 0);
        await waitUntil(() => still.changes.length === 1);
        expect(gone.changes).toEqual([]);
      });
    });

    test('50,000 keys come in one snapshot', async () => {
      await withEngine(async (connect) => {
        const registry = await connect();
        for (let batch = 0; batch < 50; batch += 1) {
          const keys = Array.from({ length: 1000 }, (_, index) => `port/${batch * 1000 + index}`);
          const written = await Promise.all(keys.map((key) => registry.write(key, key, 0)));
          expect(written.every(({ ok }) => ok)).toBe(true);
        }
        const observer = new Observer();
        using _watch = (await connect()).watch(observer);
        await waitUntil(() => observer.view.size === 50_000);
        expect(observer.snapshots.length).toBe(1);
        expect(observer.snapshots[0]?.length).toBe(50_000);
      });
    });

    test('two clusters in one engine know nothing of each other', async () => {
      await withEngine(async (connect) => {
        const [one, other] = [await connect('one'), await connect('other')];
        const observer = new Observer();
        using _watch = other.watch(observer);
        expect(await one.write('port/1', 'one', 0)).toMatchObject({ ok: true });
        expect(await other.write('port/1', 'other', 0)).toMatchObject({ ok: true });
        await waitUntil(() => observer.view.size === 1);
        expect(observer.view.get('port/1')?.value).toBe('other');
      });
    });
  });
}
