// Keeps docs/api.md equal to the docstrings. After a change of one: npx vitest run api-document --update
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('docs/api.md tells what the libraries export', async () => {
  const wanted = execFileSync(process.execPath, [join(root, 'scripts/api.mjs')], { encoding: 'utf8' });
  for (const name of ['connect', 'Tunnel', 'listen', 'Server', 'TunnelError'])
    expect(wanted).toContain(`\n### ${name}\n`);
  await expect(wanted).toMatchFileSnapshot(join(root, 'docs/api.md'));
});
