// Holds CONTRIBUTING.md: the scripts that it calls, and the files that it names or filters tests by, exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const document = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');

test('the scripts that it calls exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const called = [...document.matchAll(/\bnpm (?:run )?([a-z\d]+)/g)].map(([, name]) => name);
  expect(called).toContain('unit');
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(called));
});

test('the files that it names exist', () => {
  const inText = [...document.matchAll(/`((?:packages|test)\/[^`{]+)`/g)].map(([, path = '']) => path);
  const inLinks = [...document.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
  const inTable = [...document.matchAll(/^\| ([\w/-]+\.md)/gm)].map(([, path = '']) => path);
  expect(Math.min(inText.length, inLinks.length, inTable.length)).toBeGreaterThan(0);
  expect([...inText, ...inLinks, ...inTable].filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('the tests that it runs exist', () => {
  const calls = [...document.matchAll(/npm run (unit|e2e) -- (\S+?)[\s`]/g)];
  expect(calls.length).toBeGreaterThan(5);
  const findsNothing = calls.filter(([, kind, filter = '']) => {
    const folder = kind === 'unit' ? 'packages' : 'test';
    const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    return !paths.some((path) => path.endsWith('.test.ts') && join(folder, path).includes(filter));
  });
  expect(findsNothing.map(([call]) => call)).toEqual([]);
});
