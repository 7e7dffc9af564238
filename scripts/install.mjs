// Installs what package.json and the lockfile ask for, unless it is there already.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { programCall } from './program-call.mjs';

const root = join(import.meta.dirname, '..');
const stampFile = join(root, 'node_modules', '.setup-stamp');
const lockFile = join(root, '.setup.lock');

/** What node_modules depends on: the lockfile, pnpm's settings, and the platform that binaries are chosen for. */
function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, name)));
  return hash.digest('hex');
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Waits until no other set-up runs: a first `npm start` in two terminals at once is a likely thing to do. */
async function lock() {
  const ours = `${lockFile}.${process.pid}`;
  writeFileSync(ours, String(process.pid));
  try {
    for (;;) {
      try {
        linkSync(ours, lockFile);
        return;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const holder = readText(lockFile);
      if (holder !== undefined && !isAlive(Number(holder))) rmSync(lockFile, { force: true });
      else await delay(100);
    }
  } finally {
    rmSync(ours, { force: true });
  }
}

function install() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  console.error('setting up: installing dependencies (once, takes some seconds)');
  // The log level undoes that of .npmrc, which would hide why an installation fails.
  const { file, args, options } = programCall('npx', [
    '--loglevel=error',
    '-y',
    packageManager,
    'install',
    '--frozen-lockfile',
  ]);
  const { status, signal, error, stdout, stderr } = spawnSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (status === 0) return;
  console.error(`${stdout ?? ''}${stderr ?? ''}`.trim());
  console.error(`error: installing dependencies failed (${error?.message ?? signal ?? `exit code ${status}`})`);
  console.error('hint: the package registry has to be reachable for the first start');
  process.exitCode = 1;
}

if (readText(stampFile) !== wantedStamp()) {
  await lock();
  try {
    if (readText(stampFile) !== wantedStamp()) {
      install();
      // The scripts of package.json say `exec`, which shells know, but not cmd.exe. It looks here as well.
      if (process.platform === 'win32') writeFileSync(join(root, 'node_modules', '.bin', 'exec.cmd'), '@%*\r\n');
      if (process.exitCode === undefined) writeFileSync(stampFile, wantedStamp());
    }
  } finally {
    rmSync(lockFile, { force: true });
  }
}
