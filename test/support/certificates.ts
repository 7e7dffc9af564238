import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURE = join(import.meta.dirname, '../../packages/client/src/dial/certificates.fixture.ts');

/** The client's certificates for tests, by name. They are read, since no package exports them. */
export function readCertificates(): ReadonlyMap<string, string> {
  const constants = readFileSync(FIXTURE, 'utf8').matchAll(/^export const (\w+): string = `([^`]*)`;$/gm);
  return new Map([...constants].map(([, name = '', text = '']) => [name, text]));
}
