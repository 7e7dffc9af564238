import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadOrCreateSecret, readSecretFile } from './secrets.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-secrets-'));
  file = join(directory, 'secret');
});

afterEach(() => rm(directory, { recursive: true }));

test.each(['sesame', 'sesame\n', 'sesame\r\nmore', '\uFEFFsesame\r\n'])('the secret of %j', async (text) => {
  await writeFile(file, text);
  expect(await readSecretFile(file, '--secret-file')).toBe('sesame');
  expect(await loadOrCreateSecret(file)).toEqual({ secret: 'sesame', created: false });
});

test.each(['sesame', '\uFEFFsesame\r\n'])('UTF-16 is named: %j', async (text) => {
  await writeFile(file, text, 'utf16le');
  await expect(readSecretFile(file, '--secret-file')).rejects.toMatchObject({
    code: 'secret-unusable',
    detail: `--secret-file ${file}: it is in UTF-16`,
    hint: { id: 'utf16' },
  });
  await expect(loadOrCreateSecret(file)).rejects.toMatchObject({ code: 'state-damaged' });
});
