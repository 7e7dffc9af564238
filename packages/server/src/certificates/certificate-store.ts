import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

/** A certificate with its chain and its key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for, and when it ends. */
export interface CertificateStatus {
  /** Host names, perhaps with an asterisk for the first label. */
  readonly names: readonly string[];
  /** ISO 8601. */
  readonly validUntil: string;
}

interface Entry {
  readonly pair: KeyPair;
  /** In lower case, perhaps with an asterisk for the first label. */
  readonly names: readonly string[];
  readonly validUntil: string;
  readonly context: SecureContext;
  readonly isFallback: boolean;
}

/**
 * The certificates that a server shows, by the name in a TLS hello: the one for that very name, else one for all names beside
 * it (RFC 6125: an asterisk stands for one label), else the fallback. Of several that fit, the one that came first counts.
 */
export class CertificateStore {
  /** In the order in which they first came. */
  readonly #entries = new Map<string, Entry>();
  #byName: ReadonlyMap<string, Entry> = new Map();
  readonly #onFallback = new Set<(pair: KeyPair) => void>();

  /** `source` says where it comes from; another one from there replaces it. Throws if it cannot be used. */
  put(source: string, pair: KeyPair, isFallback: boolean): void {
    const before = this.fallback;
    const { cert, key } = pair;
    const leaf = new X509Certificate(cert);
    this.#entries.set(source, {
      pair,
      names: namesOf(leaf),
      validUntil: new Date(leaf.validTo).toISOString(),
      context: createSecureContext({ cert, key }),
      isFallback,
    });
    this.#index();
    const { fallback } = this;
    if (fallback && fallback !== before) for (const tell of this.#onFallback) tell(fallback);
  }

  remove(source: string): void {
    if (this.#entries.delete(source)) this.#index();
  }

  /** What a hello with no name, or an unknown one, gets. Undefined if there is none: then TLS fails for them. */
  get fallback(): KeyPair | undefined {
    for (const { pair, isFallback } of this.#entries.values()) if (isFallback) return pair;
    return undefined;
  }

  /** Calls back whenever the fallback is another one. */
  onFallback(tell: (pair: KeyPair) => void): void {
    this.#onFallback.add(tell);
  }

  /** What a hello with this name gets; undefined if only the fallback is left. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.#find(serverName)?.context;
  }

  /** Whether there is a certificate for this name. */
  covers(host: string): boolean {
    return this.#find(host) !== undefined;
  }

  get status(): readonly CertificateStatus[] {
    return [...this.#entries.values()].map(({ names, validUntil }) => ({ names, validUntil }));
  }

  #find(host: string): Entry | undefined {
    const name = host.toLowerCase().replace(/\.$/, '');
    return this.#byName.get(name) ?? this.#byName.get(name.replace(/^[^.]+/, '*'));
  }

  #index(): void {
    const byName = new Map<string, Entry>();
    for (const entry of this.#entries.values()) {
      for (const name of entry.names) if (!byName.has(name)) byName.set(name, entry);
    }
    this.#byName = byName;
  }
}

/** The host names that a certificate is for. Without any its common name, which only old clients look at. */
function namesOf({ subject, subjectAltName = '' }: X509Certificate): readonly string[] {
  const names = [...subjectAltName.matchAll(/\bDNS:([^\s,"]+)/g)].map(([, name = '']) => name.toLowerCase());
  if (names.length > 0) return names;
  return (
    /^CN=(\S+)$/m
      .exec(subject)
      ?.slice(1, 2)
      .map((name) => name.toLowerCase()) ?? []
  );
}
