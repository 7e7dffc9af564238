import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { connect as tlsConnect } from 'node:tls';

import { type Hint, TunnelError } from '@tunnel/shared';

import { formatHostAndPort, withoutZone } from './address.ts';
import { systemSecureContext } from './system-authorities.ts';

/** The most characters to show of the names in a certificate. */
const GREATEST_NAMES_LENGTH = 200;

/** Certificates in PEM to trust instead of the system's. */
export type CertificateAuthorities = NonNullable<SecureContextOptions['ca']>;

export interface TlsOptions {
  /** Rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly ca?: CertificateAuthorities | undefined;
  /** Default true. */
  readonly verifyCertificate?: boolean | undefined;
}

/**
 * Wraps a connected socket in TLS and checks that the certificate is the host's. Takes ownership of the socket: it is
 * destroyed if the promise rejects, with `tls-failed` and the reason in words.
 */
export function wrapInTls(
  socket: Socket,
  address: { readonly host: string; readonly port: number },
  { signal, ca, verifyCertificate = true }: TlsOptions,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const host = withoutZone(address.host);
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      secureSocket?.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const onFailure = (error: Error | null): void => fail(tlsFailed(address, error));
    const onClose = (): void => onFailure(socket.errored);

    let secureSocket: TLSSocket | undefined;
    if (signal.aborted) return onAbort();
    if (socket.destroyed) return onClose();
    try {
      secureSocket = tlsConnect({
        socket,
        // The certificate is checked against this one. An IP address must not be sent as a server name (RFC 6066, 3).
        host,
        ...(isIP(host) === 0 && { servername: host.replace(/\.$/, '') }),
        ...(ca === undefined ? { secureContext: systemSecureContext() } : { ca }),
        rejectUnauthorized: verifyCertificate,
        // WebSockets over HTTP/2 are a different protocol, and a server given the choice may prefer HTTP/2.
        ALPNProtocols: ['http/1.1'],
      });
    } catch (error) {
      // A CA file without certificates.
      return onFailure(error as Error);
    }
    const opened = secureSocket;
    signal.addEventListener('abort', onAbort, { once: true });
    // Never removed: an error without a listener would end the process, and 'close' informs the owner.
    opened.on('error', onFailure);
    opened.once('close', onClose);
    opened.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort);
      opened.removeListener('close', onClose);
      opened.removeListener('error', onFailure);
      opened.on('error', () => {});
      resolve(opened);
    });
  });
}

interface Reason {
  readonly words: string;
  readonly hint?: Hint;
}

const UNKNOWN_ISSUER: Reason = {
  words: 'the issuer of the certificate is not trusted here',
  hint: { id: 'certificate-issuer-unknown' },
};
const SELF_SIGNED: Reason = {
  words: 'the certificate is self-signed',
  hint: { id: 'certificate-self-signed' },
};
const NO_TLS: Reason = { words: 'the other side does not speak TLS', hint: { id: 'tls-not-spoken' } };

/** By the verification codes of OpenSSL and Node. */
const REASONS: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  [
    'CERT_HAS_EXPIRED',
    {
      words: 'the certificate has expired',
      hint: { id: 'certificate-expired' },
    },
  ],
  ['CERT_NOT_YET_VALID', { words: 'the certificate is not valid yet', hint: { id: 'clock-wrong' } }],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    {
      words: 'the certificate is for another name',
      hint: { id: 'certificate-for-another-name' },
    },
  ],
  [
    'HOSTNAME_MISMATCH',
    {
      words: 'the certificate is for another name',
      hint: { id: 'certificate-for-another-name' },
    },
  ],
  ['UNABLE_TO_GET_ISSUER_CERT', UNKNOWN_ISSUER],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_ISSUER],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_ISSUER],
  ['CERT_UNTRUSTED', UNKNOWN_ISSUER],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_ISSUER],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', SELF_SIGNED],
  ['CERT_REVOKED', { words: 'the certificate was revoked' }],
  ['INVALID_PURPOSE', { words: 'the certificate is not for servers' }],
  ['EPROTO', NO_TLS],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_HTTP_REQUEST', NO_TLS],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', { words: 'no TLS version in common' }],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', { words: 'no TLS version in common' }],
  ['ECONNRESET', { words: 'the other side closed the connection during the TLS handshake' }],
  ['EPIPE', { words: 'the other side closed the connection during the TLS handshake' }],
]);

function tlsFailed(
  { host, port }: { readonly host: string; readonly port: number },
  error: NodeJS.ErrnoException | null,
): TunnelError {
  const code = error?.code ?? (error === null ? 'ECONNRESET' : error.name);
  const reason: Reason = REASONS.get(code) ?? { words: 'the TLS handshake failed' };
  return new TunnelError('tls-failed', {
    detail: `${formatHostAndPort(host, port)}, ${reason.words}${namesIn(error)} (${code})`,
    ...(reason.hint !== undefined && { hint: reason.hint }),
    ...(error !== null && { cause: error }),
  });
}

/** The names that a certificate for another name is valid for. */
function namesIn(error: NodeJS.ErrnoException | null): string {
  const { cert } = (error ?? {}) as { readonly cert?: { readonly subjectaltname?: string } };
  return cert?.subjectaltname === undefined ? '' : `: ${cert.subjectaltname.slice(0, GREATEST_NAMES_LENGTH)}`;
}
