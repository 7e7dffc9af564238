// Keeps docs/errors.md equal to the registry. After a change there: npx vitest run errors-document --update
import { join } from 'node:path';
import { type Disposition, ERRORS } from '@tunnel/shared';
import { expect, test } from 'vitest';
import { readDocument } from './support/documents.ts';

const FATAL: Readonly<Record<Disposition, string>> = {
  fatal: 'ends the program',
  'fatal-at-start': 'ends the program before its first link, retried after that',
  retry: 'retried',
  'retry-now': 'retried at once',
};

function table(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { disposition, exitCode, summary, hint }]) =>
      `| \`${code}\` | ${summary} | ${FATAL[disposition]} | ${exitCode} | ${hint} |`,
  );
  return ['| code | meaning | fatal or retried | exit code | hint |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

test('docs/errors.md has every code of the registry', async () => {
  const document = readDocument('errors.md');
  const parts = /^(.*<!-- codes -->\n).*(\n<!-- end of codes -->.*)$/s.exec(document);
  if (parts === null) throw new Error('docs/errors.md has lost its marks around the table');
  const wanted = `${parts[1]}${table()}${parts[2]}`;
  await expect(wanted).toMatchFileSnapshot(join(import.meta.dirname, '../docs/errors.md'));
});
