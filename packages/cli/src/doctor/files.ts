import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TunnelError } from '@tunnel/shared';
import { accessTo, hasModes, randomBytes, removeFile, writeFileAtomic } from '@tunnel/shared/node';
import type { StateDirectory } from '../settings/state-directory.ts';
import { passed, type Step, troubleOf, warned } from './step.ts';

/** Permission bits that let others read a private file, or change a directory. */
const READABLE_BY_OTHERS = 0o077;
const WRITABLE_BY_OTHERS = 0o022;

/** A clock further behind than this was never set. */
const EARLIEST_NOW = Date.UTC(2025, 0, 1);
/** A file newer than now by more than this was written while the clock was ahead, in ms. */
const CLOCK_SLACK_MS = 60_000;

export interface CheckedFiles {
  readonly state: StateDirectory;
  readonly identityFile: string;
  readonly secretFile: string | undefined;
}

/** Whether the files are private to this user and new ones can be written. Nothing found here ends the run. */
export async function checkFiles(
  { state, identityFile, secretFile }: CheckedFiles,
  platform: NodeJS.Platform = process.platform,
): Promise<Step> {
  const exposed = await findExposed(
    [identityFile, ...(secretFile === undefined ? [] : [secretFile])],
    READABLE_BY_OTHERS,
    platform,
  );
  const open = await findExposed([state.path, state.client.pins], WRITABLE_BY_OTHERS, platform);
  const [first] = [...exposed, ...open];
  if (first !== undefined) {
    const detail = `other users of this machine can ${exposed.length > 0 ? 'read' : 'change'} ${first}`;
    const hint = exposed.length > 0 ? `chmod 600 ${first}` : `chmod 700 ${first}`;
    return warned('files', { code: 'state-unusable', reason: detail, hint });
  }
  const access = await accessTo(state.path);
  if (access?.owner === 'foreign') {
    // Running as root in a service's directory: files made there could be redirected elsewhere, and would not be that
    // user's.
    return passed(
      'files',
      `${state.path} is that of user ${access.uid} alone; whether that one can write there was not tried`,
    );
  }
  try {
    const probe = join(state.path, 'client', `doctor-${Buffer.from(randomBytes(8)).toString('hex')}`);
    await writeFileAtomic(probe, '');
    await removeFile(probe);
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    return warned(
      'files',
      troubleOf(error),
      undefined,
      `nothing new can be remembered in ${state.path}: ${error.detail}`,
    );
  }
  const whose = hasModes(platform)
    ? "and is this user's alone"
    : 'and who else can read it is up to its access list, which was not checked';
  return passed('files', `${state.path} can be written, ${whose}`);
}

/** The existing ones that give others a permission they must not have. */
async function findExposed(
  paths: readonly string[],
  rights: number,
  platform: NodeJS.Platform,
): Promise<readonly string[]> {
  if (!hasModes(platform)) return [];
  const modes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ mode }) => mode,
        () => 0,
      ),
    ),
  );
  return paths.filter((_path, index) => ((modes[index] ?? 0) & rights) !== 0);
}

/** Certificates and leases depend on the clock. */
export async function checkClock(identityFile: string, now: Date = new Date()): Promise<Step> {
  const text = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const made = await stat(identityFile).then(
    ({ mtime }) => mtime.getTime(),
    () => 0,
  );
  if (now.getTime() >= EARLIEST_NOW && made <= now.getTime() + CLOCK_SLACK_MS) {
    return passed('clock', `${text}, which nothing here contradicts`);
  }
  const reason = made > now.getTime() ? `it says ${text}, and ${identityFile} was made later` : `it says ${text}`;
  return warned('clock', {
    code: 'clock-wrong',
    reason,
    hint: "set this machine's clock: certificates are checked against it",
  });
}
