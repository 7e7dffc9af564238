import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startTunnel } from './command.ts';
import { expectNothingLeftOpen } from './open-handles.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Stands in for the command: prints what it was started with, then does what its input says. */
const program = `
  const say = (event) => console.log(JSON.stringify({ event, time: new Date().toISOString(), env: process.env }));
  say(process.argv[2]);
  console.log('no event');
  console.error('started in ' + process.cwd());
  process.stdin.on('data', (text) => (text == 'exit' ? process.exit(5) : say(String(text))));
`;

async function stub(directory: string): Promise<string> {
  const path = join(directory, 'program.mjs');
  await writeFile(path, program);
  return path;
}

test('collects events, output and the exit code, and leaves nothing behind', async () => {
  await using directory = await temporaryDirectory();
  const path = await stub(directory.path);
  const home = await expectNothingLeftOpen(async () => {
    await using tunnel = await startTunnel(['first'], { program: path, env: { EXTRA: '1' } });
    const event = await tunnel.waitForEvent('first');
    expect(event['env']).toMatchObject({
      EXTRA: '1',
      HOME: tunnel.home,
      XDG_STATE_HOME: `${tunnel.home}/.local/state`,
    });
    await tunnel.waitForStderr(/^started in .*$/m);
    const next = tunnel.waitForNextEvent('second', ({ time }) => time !== event.time);
    tunnel.write('second');
    await next;
    expect(tunnel.events.map(({ event: name }) => name)).toEqual(['first', 'second']);
    tunnel.write('exit');
    expect(await tunnel.waitForExit()).toEqual({ code: 5, signal: null });
    return tunnel.home;
  });
  await expect(access(home)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a wait in vain tells all that was printed, at once when the process ends', async () => {
  await using directory = await temporaryDirectory();
  await using tunnel = await startTunnel(['first'], { program: await stub(directory.path), home: directory.path });
  await tunnel.waitForStderr(/started/);
  await expect(tunnel.waitForEvent('never', undefined, 1)).rejects.toThrow(/not within 1 ms[^]*no event[^]*started in/);
  const wait = tunnel.waitForEvent('never');
  tunnel.write('exit');
  await expect(wait).rejects.toThrow(/the process ended[^]*"code":5[^]*started in/);
});

test('kills what still runs', async () => {
  await using directory = await temporaryDirectory();
  const tunnel = await startTunnel(['first'], { program: await stub(directory.path) });
  await tunnel.waitForEvent('first');
  tunnel.kill('SIGSTOP');
  await tunnel[Symbol.asyncDispose]();
  expect(await tunnel.exit).toEqual({ code: null, signal: 'SIGKILL' });
});
