import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Notifier } from './notifier.ts';

// No systemd there, and no scripts of sh as programs.
test.skipIf(process.platform === 'win32')('what others say stays one assignment, whatever is in it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
  try {
    const program = join(directory, 'systemd-notify');
    await writeFile(program, `#!/bin/sh\nfor word in "$@"; do printf '<%s>' "$word"; done >>"${directory}/told"\n`);
    await chmod(program, 0o755);
    const failures: string[] = [];
    const notifier = new Notifier('/nowhere', { PATH: `${directory}:/bin:/usr/bin` }, (reason) =>
      failures.push(reason),
    );
    notifier.send({ STATUS: `waiting: a\u0000b\nWATCHDOG=trigger ${'x'.repeat(200_000)}` });
    await notifier.sent();
    expect(failures).toEqual([]);
    const told = await readFile(join(directory, 'told'), 'utf8');
    expect(told).toMatch(/^<STATUS=waiting: ab WATCHDOG=trigger x+…>$/);
    expect(told.length).toBeLessThan(1_100);
  } finally {
    await rm(directory, { recursive: true });
  }
});
