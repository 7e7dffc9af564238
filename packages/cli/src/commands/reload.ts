import { TunnelError } from '@tunnel/shared';
import type { FileTable } from '../settings/flags.ts';
import { type Output, tellRefusal } from '../output/output.ts';
import { adviceFor } from '../hints/advice-for.ts';
import { ConfigError } from '../config/config-error.ts';
import type { ConfigFile } from '../config/config-file.ts';

/** Reads the file again. Undefined where it is wrong, which is told, or where there is none. */
export async function reloadConfig(
  load: () => Promise<ConfigFile | undefined>,
  output: Output,
): Promise<ConfigFile | undefined> {
  try {
    return await load();
  } catch (error) {
    tellRefused(error, output);
    return undefined;
  }
}

/** Says what is wrong with a configuration that is not taken over. */
export function tellRefused(error: unknown, output: Output): void {
  if (!(error instanceof TunnelError)) throw error;
  const reasons = error instanceof ConfigError ? error.lines : [error.message];
  const hint = `${adviceFor(error).text}; until then everything stays as it was`;
  tellRefusal(output, { code: error.code, reasons, hint });
}

/** Keys whose values differ. Not the values: there may be a secret among them. */
export function changedKeys(before: FileTable | undefined, after: FileTable): readonly string[] {
  const names = new Set([...(before?.keys() ?? []), ...after.keys()]);
  const textOf = (table: FileTable | undefined, name: string): string =>
    JSON.stringify(table?.get(name)?.map(({ text }) => text));
  return [...names].filter((name) => textOf(before, name) !== textOf(after, name));
}
