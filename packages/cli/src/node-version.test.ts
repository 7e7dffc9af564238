import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusalOfNode } from './node-version.js';

const root = join(import.meta.dirname, '../../..');

test.each(['20.19.0', '20.20.2', '22.0.0', '24.21.0', '100.0.0', '23.0.0-nightly20240801'])(
  'Node %s will do',
  (version) => {
    expect(refusalOfNode(version)).toBeUndefined();
  },
);

test.each(['0.10.48', '12.22.9', '18.20.8', '19.9.0', '20.18.3', '21.7.3'])('Node %s is too old', (version) => {
  expect(refusalOfNode(version)).toEqual([
    `error: tunnel needs Node 20.19, or 22 and later; this is Node ${version}`,
    expect.stringMatching(/^hint: install the newest LTS/),
  ]);
});

test('every package says the same to npm', () => {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'package.json'));
  for (const path of ['package.json', ...packages]) {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as { engines: unknown };
    expect({ path, engines: manifest.engines }).toEqual({ path, engines: { node: '^20.19 || >=22' } });
  }
});
