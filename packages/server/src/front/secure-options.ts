import type { TlsOptions, TLSSocket } from 'node:tls';
import { ACME_PROTOCOL, type AcmeChallenges } from '../certificates/acme-challenges.ts';
import type { CertificateStore } from '../certificates/certificate-store.ts';
import { HEAD_TIMEOUT_MS } from './http-limits.ts';

/** What is spoken over TLS, the best first. */
const PROTOCOLS: readonly string[] = ['h2', 'http/1.1'];

/** How a TLS server chooses certificate and protocol by what a hello says. */
export function secureOptions(certificates: CertificateStore, challenges: AcmeChallenges): TlsOptions {
  /** Of authorities that look whether a name leads here. */
  const challenged = new WeakSet<TLSSocket>();
  return {
    cert: certificates.fallback?.cert,
    key: certificates.fallback?.key,
    handshakeTimeout: HEAD_TIMEOUT_MS,
    // Called before `ALPNCallback` in TLS 1.2 and after it in TLS 1.3, both on the socket.
    SNICallback(this: TLSSocket, name, choose) {
      choose(null, challenged.has(this) ? undefined : certificates.contextFor(name));
    },
    ALPNCallback(this: TLSSocket, { servername, protocols }) {
      const challenge = protocols.includes(ACME_PROTOCOL) ? challenges.contextFor(servername) : undefined;
      if (!challenge) return PROTOCOLS.find((protocol) => protocols.includes(protocol));
      challenged.add(this);
      this.setKeyCert(challenge);
      return ACME_PROTOCOL;
    },
  };
}
