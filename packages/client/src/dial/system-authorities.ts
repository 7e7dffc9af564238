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

/** The system's own store, as far as Node knows it. */
const STORE = { store: 'system' } as const;

type Source = { readonly file: string } | typeof STORE;

/**
 * Where to look for the machine's authorities; the first that has any counts. `named` is OpenSSL's own variable for another
 * file. On macOS the bundle has only what Apple put there, and not what a company added to the keychain. Windows takes the other
 * paths for folders of the current drive, where every user could put authorities for everybody.
 */
export function authoritySources(named: string | undefined, platform: NodeJS.Platform): readonly Source[] {
  const first = [{ file: named ?? '' }];
  if (platform === 'win32') return [...first, STORE];
  if (platform === 'darwin') return [...first, STORE, { file: '/etc/ssl/cert.pem' }];
  return [...first, ...BUNDLES.map((file) => ({ file })), STORE];
}

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
  for (const source of authoritySources(process.env['SSL_CERT_FILE'], process.platform)) {
    const found = 'file' in source ? readCertificates(source.file) : systemStore();
    if (found.length > 0) return found;
  }
  return [];
}

function extraAuthorities(): readonly string[] {
  return readCertificates(process.env['NODE_EXTRA_CA_CERTS'] ?? '');
}

function systemStore(): readonly string[] {
  return (tls as WithSystemStore).getCACertificates?.('system') ?? [];
}

/** All that are in a file, as one text; none where it cannot be read. */
function readCertificates(file: string): readonly string[] {
  try {
    const text = readFileSync(file, 'utf8');
    return text.includes('-----BEGIN CERTIFICATE-----') ? [text] : [];
  } catch {
    return [];
  }
}
