import type { HeaderLine } from '@tunnel/client/internal';
import type { Header } from '@tunnel/pages';

/** What is shown in place of a value that would let its reader in. */
export const MASK = '••••••';

const SECRET_NAMES: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

export function masked(lines: readonly HeaderLine[]): readonly Header[] {
  return lines.map(({ name, value }) =>
    SECRET_NAMES.has(name.toLowerCase()) ? { name, value: MASK, isMasked: true } : { name, value },
  );
}

/** The values behind masks: the first of a name stands for the first original of that name, and so on. */
export function unmasked(headers: readonly Header[], originals: readonly HeaderLine[]): readonly HeaderLine[] {
  const left = [...originals];
  return headers.map(({ name, value }) => {
    const index = left.findIndex((original) => original.name.toLowerCase() === name.toLowerCase());
    const [original] = index === -1 ? [] : left.splice(index, 1);
    return { name, value: value === MASK && original !== undefined ? original.value : value };
  });
}
