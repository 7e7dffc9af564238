// Holds the arrows between packages and rooms, and the purity of the protocol core.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROOMS } from './support/rooms.ts';

const root = join(import.meta.dirname, '..');

/** Rooms that know the world: sockets, files, timers, randomness. All others of `shared` are pure. */
const ADAPTERS = new Set(['shared', 'shared/crypto', 'shared/net', 'shared/state', 'shared/transport']);

/** What a package is to others. `internal` is for our own command and tests. */
const DOORS = /^packages\/[^/]+\/src\/(?:index|node|internal)\.ts$/;

interface Import {
  readonly from: string;
  readonly to: string;
}

/** `packages/client/src/dial/tls.ts` is in `client/dial`; a file at the root of a package in `client`. Undefined outside of packages. */
function roomOf(path: string): string | undefined {
  const [, name = '', inside = ''] = /^packages\/([^/]+)\/src\/(.+)$/.exec(path) ?? [];
  if (name === '') return undefined;
  return [name, ...inside.split('/').slice(0, -1)].join('/');
}

function packageOf(room: string): string {
  return room.split('/', 1)[0]!;
}

const isTest = (path: string): boolean => /\.(?:test|fixture)\.ts$/.test(path) || path.includes('/testing/');

let sources: readonly string[];
let imports: readonly Import[];

beforeAll(async () => {
  const { output } = await cruise(['packages', 'test'], {
    baseDir: root,
    exclude: { path: String.raw`(^|/)(node_modules|dist|\.types)/` },
    // Imports of types are arrows, too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import'] },
  });
  const { modules } = output as ICruiseResult;
  sources = modules.map(({ source }) => source);
  imports = modules.flatMap(({ source, dependencies }) =>
    dependencies.map(({ resolved }) => ({ from: source, to: resolved })),
  );
}, 60_000);

/** Reads well in a failed `toEqual([])`. */
function told(wrong: readonly Import[]): string[] {
  return wrong.map(({ from, to }) => `${from} imports ${to}`);
}

/** What each room imports of others of its package. */
function arrowsBetweenRooms(): Map<string, Set<string>> {
  const rooms = sources.filter((path) => !isTest(path)).flatMap((path) => roomOf(path) ?? []);
  const arrows = new Map(rooms.map((room) => [room, new Set<string>()]));
  for (const { from, to } of imports) {
    const [source, target] = [roomOf(from), roomOf(to)];
    if (source === undefined || target === undefined || target === source || isTest(from)) continue;
    if (packageOf(target) === packageOf(source)) arrows.get(source)?.add(target);
  }
  return arrows;
}

test('imports are found, also those of types', () => {
  expect(imports).toContainEqual({
    from: 'packages/cli/src/tunnel.ts',
    to: 'packages/cli/src/commands/command-line.ts',
  });
  expect(imports).toContainEqual({ from: 'packages/client/src/options.ts', to: 'packages/shared/src/index.ts' });
});

test('rooms import each other as the table says', () => {
  const found = Object.fromEntries([...arrowsBetweenRooms()].map(([room, targets]) => [room, [...targets].toSorted()]));
  const allowed = Object.fromEntries(Object.entries(ROOMS).map(([room, targets]) => [room, [...targets].toSorted()]));
  expect(found).toEqual(allowed);
});

test('no room leads back to itself', () => {
  const arrows = arrowsBetweenRooms();
  // The root of a package is its face: rooms may use its types, and it uses the rooms.
  const isRoot = (room: string): boolean => !room.includes('/');
  const leadsTo = (room: string): Set<string> => {
    const seen = new Set<string>();
    const next = [room];
    for (let from = next.pop(); from !== undefined; from = next.pop()) {
      for (const to of arrows.get(from) ?? []) {
        if (isRoot(to) || seen.has(to)) continue;
        seen.add(to);
        next.push(to);
      }
    }
    return seen;
  };
  expect([...arrows.keys()].filter((room) => !isRoot(room) && leadsTo(room).has(room))).toEqual([]);
});

describe('packages', () => {
  const arrows: Record<string, readonly string[]> = {
    shared: [],
    client: ['shared'],
    server: ['shared'],
    pages: [],
    cli: ['client', 'pages', 'server', 'shared'],
  };

  test('the table names every package', () => {
    expect(readdirSync(join(root, 'packages')).toSorted()).toEqual(Object.keys(arrows).toSorted());
  });

  test('import only those that they may, and only through their doors', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [source, target] = [roomOf(from), roomOf(to)];
      if (target === undefined || (source !== undefined && packageOf(source) === packageOf(target))) return false;
      const isAllowed = source === undefined || arrows[packageOf(source)]?.includes(packageOf(target));
      return isAllowed !== true || !DOORS.test(to);
    });
    expect(told(wrong)).toEqual([]);
  });

  test('have no default export', () => {
    const form = /^[ \t]*export\s+default\b|^[ \t]*export\s*\{[^}]*\bas\s+default\b/m;
    const ours = sources.filter((path) => roomOf(path) !== undefined);
    expect(ours.filter((path) => form.test(readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  test('hold about a dozen files at one level', () => {
    const counts = new Map<string, number>();
    for (const path of sources) {
      const room = roomOf(path);
      if (room !== undefined && !isTest(path)) counts.set(room, (counts.get(room) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > 15)).toEqual([]);
  });
});

test('the core imports no input, output, clock or entropy', () => {
  const impure = imports.filter(({ from, to }) => {
    const room = roomOf(from);
    if (room === undefined || packageOf(room) !== 'shared' || ADAPTERS.has(room) || isTest(from)) return false;
    const isForeign = isBuiltin(to) || to.includes('node_modules') || !existsSync(join(root, to));
    return isForeign || ADAPTERS.has(roomOf(to) ?? '');
  });
  expect(told(impure)).toEqual([]);
});
