import type { TLSSocket } from 'node:tls';

/** Properties of a TLS connection, for people. */
export interface TlsFinding {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  readonly cipher: string;
  readonly certificate: {
    /** The name in it; an unverified claim if the certificate was not verified. */
    readonly subject: string;
    readonly issuer: string;
    readonly validTo: Date;
  };
}

export function describeTls(socket: TLSSocket): TlsFinding {
  const { subject, issuer, valid_to: validTo } = socket.getPeerCertificate();
  return {
    protocol: socket.getProtocol() ?? 'TLS',
    cipher: socket.getCipher().name,
    certificate: {
      subject: firstOf(subject?.CN),
      issuer: firstOf(issuer?.CN ?? issuer?.O),
      validTo: new Date(validTo),
    },
  };
}

/** A part may occur several times in a name, or not at all. */
function firstOf(part: string | readonly string[] | undefined): string {
  return [part].flat()[0] ?? 'no name';
}
