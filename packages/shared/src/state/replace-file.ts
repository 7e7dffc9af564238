import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What Windows says while another program, often a virus scanner, has one of the two files open: for some ms, as a rule. */
const BUSY: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EBUSY']);

/** How long to wait before each further attempt, in ms: elsewhere these errors stay what they are. */
export function replaceDelaysMs(platform: NodeJS.Platform): readonly number[] {
  return platform === 'win32' ? [5, 10, 20, 40, 80, 160, 320, 640] : [];
}

/** Renames a file over another one. Errors are the system's own. */
export async function replaceFile(
  from: string,
  to: string,
  delaysMs: readonly number[] = replaceDelaysMs(process.platform),
  renameFile: (from: string, to: string) => Promise<void> = rename,
): Promise<void> {
  for (const delayMs of delaysMs) {
    try {
      return await renameFile(from, to);
    } catch (error) {
      if (!BUSY.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    await sleep(delayMs);
  }
  await renameFile(from, to);
}
