// Holds docs/errors.md to the registry and the command's words. After a change there: npx vitest run errors-document --update
import { join } from 'node:path';
import { ADVICE_BY_CODE } from '@tunnel/cli';
import { type Disposition, ERRORS, type ErrorCode, isErrorCode } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { readDocument } from './support/documents.ts';

const THEN: Readonly<Record<Disposition, string>> = {
  fatal: 'ends',
  'fatal-at-start': 'ends before the first link, else retried',
  retry: 'retried',
  'retry-now': 'retried at once',
};

const ROW = /^\| <a id="([a-z-]+)"><\/a>`\1` \| [^|]*\| ([^|]*) \|.*$/gm;

function rowOf(code: ErrorCode, cause: string): string {
  const { disposition, exitCode, summary } = ERRORS[code];
  const cells = [summary, cause, ADVICE_BY_CODE[code].text, THEN[disposition], exitCode];
  return `| <a id="${code}"></a>\`${code}\` | ${cells.join(' | ')} |`;
}

test('docs/errors.md has a row and an anchor for every code, in the order of the registry', async () => {
  const document = readDocument('errors.md');
  const rows = [...document.matchAll(ROW)];
  expect(rows.map(([, code]) => code)).toEqual(Object.keys(ERRORS));
  for (const [, code, cause = ''] of rows) expect(cause, `${code} has a cause`).toMatch(/^\S/);
  const wanted = document.replace(ROW, (row, code: string, cause: string) =>
    isErrorCode(code) ? rowOf(code, cause) : row,
  );
  await expect(wanted).toMatchFileSnapshot(join(import.meta.dirname, '../docs/errors.md'));
});

test('docs/errors.md has every exit code', () => {
  const [, table = ''] = /## Exit codes\n([^]*?)\n## /.exec(readDocument('errors.md')) ?? [];
  const documented = [...table.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
  expect(documented).toEqual(
    [...new Set(Object.values(ERRORS).map(({ exitCode }) => exitCode))].toSorted((a, b) => a - b),
  );
});
