import { type Output, warn } from '../output/output.ts';
import type { Exposure } from '../settings/private-files.ts';

/** Warns about the exposures not in `told` yet, and adds them. */
export function warnAboutFiles(
  exposures: readonly Exposure[],
  output: Output,
  told: Set<string> = new Set<string>(),
): void {
  for (const { path, problem, hint } of exposures) {
    if (told.has(path)) continue;
    told.add(path);
    warn(output, problem, hint);
  }
}
