import { TunnelError } from '@tunnel/shared';
import type { Context } from '../context.ts';
import type { FileTable } from '../flags.ts';
import { errorLines, type Output } from '../output/output.ts';
import type { Given } from '../values/given.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigFile, requireConfig } from './config-file.ts';

/** Reads the file again. Undefined where it is wrong, which is told. */
export async function reloadConfig(
  given: Given | undefined,
  output: Output,
  { environment }: Context,
): Promise<ConfigFile | undefined> {
  try {
    return await requireConfig(given, environment);
  } catch (error) {
    tellRefused(error, output);
    return undefined;
  }
}

/** Says what is wrong with a configuration that is not taken over. */
export function tellRefused(error: unknown, output: Output): void {
  if (!(error instanceof TunnelError)) throw error;
  const reasons = error instanceof ConfigError ? error.lines : [error.message];
  const hint = `${error.hint}; everything goes on as it was`;
  if (output.audience === 'people') for (const line of errorLines(reasons, hint)) output.stderr.write(line);
  else for (const reason of reasons) output.log.error({ code: error.code, hint }, reason);
}

/** Keys whose values differ. Not the values: there may be a secret among them. */
export function changedKeys(before: FileTable | undefined, after: FileTable): readonly string[] {
  const names = new Set([...(before?.keys() ?? []), ...after.keys()]);
  const textOf = (table: FileTable | undefined, name: string): string =>
    JSON.stringify(table?.get(name)?.map(({ text }) => text));
  return [...names].filter((name) => textOf(before, name) !== textOf(after, name));
}
