import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FIXTURE = join(import.meta.dirname, '../../packages/client/src/dial/certificates.fixture.ts');

/** The client's certificates for tests, by name. They are read, since no package exports them. */
export function readCertificates(): ReadonlyMap<string, string> {
  const constants = readFileSync(FIXTURE, 'utf8').matchAll(/^export const (\w+): string = `([^`]*)`;$/gm);
  return new Map([...constants].map(([, name = '', text = '']) => [name, text]));
}

/** Writes one of them and its key into a directory, as a server takes them. */
export async function certificateFiles(
  directory: string,
  name = 'TEST_CERTIFICATE',
): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const certificates = readCertificates();
  const files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
  await writeFile(files.certFile, certificates.get(name) ?? '');
  await writeFile(files.keyFile, certificates.get('TEST_KEY') ?? '');
  return files;
}
