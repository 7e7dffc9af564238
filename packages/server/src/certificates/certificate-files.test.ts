import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TunnelError } from '@tunnel/shared';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Certificate, CertificateWatch, readCertificate } from './certificate-files.ts';

let directory: string;
let files: { certFile: string; keyFile: string };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tunnel-test-'));
  files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
});
afterEach(() => rm(directory, { recursive: true }));

/** Creates a certificate with a new key in these files. */
function make({ certFile, keyFile } = files, name = 'localhost'): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const args = ['req', '-x509', ...key, '-out', certFile, '-days', '2', '-subj', `/CN=${name}`];
  execFileSync('openssl', args, { stdio: 'pipe' });
}

// On Windows openssl may be missing, and not everybody may make symbolic links.
const hasTools = process.platform !== 'win32';

describe.runIf(hasTools)('are read', () => {
  test('where they fit', async () => {
    make();
    const { cert, key, validUntil } = await readCertificate(files);
    expect(cert).toBe(await readFile(files.certFile, 'utf8'));
    expect(key).toBe(await readFile(files.keyFile, 'utf8'));
    expect(Math.abs(Date.parse(validUntil) - Date.now() - 2 * 86_400_000)).toBeLessThan(3_600_000);
  });

  test.each<[string, string, (file: string) => Promise<void>]>([
    ['certFile', 'no such file or directory', unlink],
    ['keyFile', 'no such file or directory', unlink],
    ['certFile', 'it contains no certificate in PEM', (file) => writeFile(file, '')],
    ['keyFile', 'it contains no unencrypted private key in PEM', (file) => writeFile(file, 'nonsense')],
    [
      'certFile',
      'its chain cannot be read',
      async (file) =>
        writeFile(
          file,
          `${await readFile(file, 'utf8')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
        ),
    ],
  ])('and a bad %s is named: %s', async (which, reason, spoil) => {
    make();
    const file = files[which as keyof typeof files];
    await spoil(file);
    await expect(readCertificate(files)).rejects.toMatchObject({
      code: 'tls-unusable',
      detail: `${file}: ${reason}`,
    });
  });

  test('and both are named where they do not fit', async () => {
    make();
    make({ certFile: join(directory, 'other'), keyFile: files.keyFile });
    await expect(readCertificate(files)).rejects.toMatchObject({
      detail: `${files.keyFile}: it does not belong to the certificate in ${files.certFile}`,
    });
  });
});

describe.runIf(hasTools)('are watched', () => {
  type Told = Certificate | TunnelError;

  /** Collects what is reported from now on, in order. */
  async function watch(): Promise<{ next: () => Promise<Told>; count: () => number } & Disposable> {
    const told: Told[] = [];
    let taken = 0;
    let wake = (): void => {};
    const tell = (what: Told): void => {
      told.push(what);
      wake();
    };
    const watching = new CertificateWatch(files, (await readCertificate(files)).filesState, {
      onChange: tell,
      onFailure: tell,
    });
    return {
      next: async () => {
        while (told.length <= taken) await new Promise<void>((resolve) => (wake = resolve));
        return told[taken++] as Told;
      },
      count: () => told.length,
      [Symbol.dispose]: () => watching[Symbol.dispose](),
    };
  }

  test('over renames, links and failures, each told once', async () => {
    const [first, second] = [join(directory, 'first'), join(directory, 'second')];
    for (const [index, path] of [first, second].entries()) {
      make({ certFile: `${path}.cert`, keyFile: `${path}.key` }, `name-${index}`);
    }
    await symlink(`${first}.cert`, files.certFile);
    await symlink(`${first}.key`, files.keyFile);
    using watching = await watch();

    // As an ACME client does.
    for (const [kind, file] of [
      ['cert', files.certFile],
      ['key', files.keyFile],
    ] as const) {
      await symlink(`${second}.${kind}`, `${file}.new`);
      await rename(`${file}.new`, file);
    }
    expect(await watching.next()).toMatchObject({ cert: await readFile(`${second}.cert`, 'utf8') });

    await writeFile(`${second}.cert`, 'half a certi');
    expect(await watching.next()).toMatchObject({ code: 'tls-unusable' });
    await writeFile(`${second}.cert`, await readFile(`${first}.cert`));
    expect(await watching.next()).toMatchObject({
      detail: expect.stringContaining('it does not belong to the certificate') as string,
    });
    await writeFile(`${second}.key`, await readFile(`${first}.key`));
    expect(await watching.next()).toMatchObject({ cert: await readFile(`${first}.cert`, 'utf8') });
    expect(watching.count()).toBe(4);
  });
});
