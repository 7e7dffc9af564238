// What somebody sees whose Node is too old: the command and a checkout say so, and end with 2.
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const runFile = promisify(execFile);

const STARTED = ['packages/cli/dist/tunnel.js', 'scripts/setup.mjs'];

const OLD_NODE = '18.20.8';

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[]): Result {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

const REFUSAL: Result = {
  code: 2,
  stdout: '',
  stderr: expect.stringMatching(
    new RegExp(`^error: tunnel needs Node 20.19, or 22 and later; this is Node ${OLD_NODE}\\nhint: .+\\n$`),
  ),
};

test.each(STARTED)('%s checks the version before anything else', (file) => {
  const asOldNode = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '${OLD_NODE}' })`;
  expect(run(process.execPath, ['--import', asOldNode, file])).toEqual(REFUSAL);
});

test('an old Node can parse them', { timeout: 120_000 }, async (context) => {
  const oldNode = ['-y', `node@${OLD_NODE}`];
  const version = await runFile('npx', [...oldNode, '--version'], { timeout: 60_000 }).catch(() => undefined);
  if (version?.stdout.trim() !== `v${OLD_NODE}`) context.skip(`Node ${OLD_NODE} cannot be had from the registry here`);
  for (const file of STARTED) expect(run('npx', [...oldNode, file])).toEqual(REFUSAL);
});

test('a unit stays down after that', async () => {
  for (const unit of ['tunnel-client@.service', 'tunnel-server.service']) {
    const text = await readFile(join(root, 'packaging/systemd', unit), 'utf8');
    expect(text).toMatch(/^RestartPreventExitStatus=2\b/m);
  }
});
