import { readFileSync } from 'node:fs';
import tls from 'node:tls';

/** Where Linux distributions and BSDs keep all authorities in one file; the same places that Go looks in. */
const BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Since Node 22.15. */
type WithSystemStore = typeof tls & { readonly getCACertificates?: (type: 'system') => readonly string[] };

let context: tls.SecureContext | undefined;

/**
 * Trusts the authorities of Node, of this machine, and of NODE_EXTRA_CA_CERTS: by default Node ignores the machine's,
 * including those that a company has installed. Read once, when first needed: it takes some tens of milliseconds.
 */
export function systemSecureContext(): tls.SecureContext {
  context ??= tls.createSecureContext({
    ca: [...tls.rootCertificates, ...machineAuthorities(), ...extraAuthorities()],
  });
  return context;
}

function machineAuthorities(): readonly string[] {
  // OpenSSL's own variable for a different file.
  const files = [process.env['SSL_CERT_FILE'] ?? '', ...BUNDLES];
  const bundle = files.map(readCertificates).find((text) => text !== undefined);
  return bundle === undefined ? ((tls as WithSystemStore).getCACertificates?.('system') ?? []) : [bundle];
}

function extraAuthorities(): readonly string[] {
  return [readCertificates(process.env['NODE_EXTRA_CA_CERTS'] ?? '')].filter((text) => text !== undefined);
}

function readCertificates(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    return text.includes('-----BEGIN CERTIFICATE-----') ? text : undefined;
  } catch {
    return undefined;
  }
}
