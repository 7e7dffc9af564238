// Runs the bundled command as `npm start` should: same arguments, same terminal, same exit code, every signal once.
// The script in package.json says `exec`: npm signals only the shell that it starts, and dash would die of it alone.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

const bundle = join(import.meta.dirname, '../packages/cli/dist/tunnel.js');
const program = spawn(process.execPath, [bundle, ...process.argv.slice(2)], {
  stdio: 'inherit',
  // It prints commands to copy: they begin with what is typed here.
  env: { ...process.env, TUNNEL_STARTED_AS: 'npm start --' },
});

/** There the console tells every program in it of Ctrl-C, Ctrl-Break and its closing. To pass one on would kill the program. */
const isWindows = process.platform === 'win32';

/** Whether Ctrl-C on a terminal reaches this process group, and so the program, without our help. */
function isForeground() {
  if (isWindows) return true;
  if (process.platform !== 'linux') return process.stdin.isTTY === true;
  // proc(5): after the name in parentheses come state, ppid, pgrp, session, tty_nr, tpgid.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
  return fields[2] === fields[5];
}

// npm passes on what it gets. A Ctrl-C on a terminal therefore comes twice: from the terminal and from npm. The
// program takes a second one as "end at once", so none is passed on that it has got by itself.
process.on('SIGINT', () => {
  if (!isForeground()) program.kill('SIGINT');
});
for (const signal of isWindows ? ['SIGHUP', 'SIGBREAK'] : ['SIGTERM', 'SIGHUP', 'SIGUSR1']) {
  process.on(signal, () => {
    if (!isWindows) program.kill(signal);
  });
}

program.on('error', (error) => {
  console.error(`error: cannot start ${bundle}: ${error.message}`);
  process.exitCode = 1;
});
program.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});
