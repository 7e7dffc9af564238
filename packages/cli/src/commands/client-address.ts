import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { formatServerAddress } from '@tunnel/client';
import { DEFAULT_CONTROL_PORT } from '@tunnel/shared';
import { canonicalAddress, hostToDial } from '@tunnel/shared/node';
import { isLoopback } from '../values/loopback.ts';
import { formatTarget } from '../values/target.ts';

/** Stands for a name that this program cannot know. */
const PLACEHOLDER = 'NAME';

/** What a server knows of how it is reached. */
export interface ServerWhereabouts {
  /** What it listens on; undefined for all addresses. */
  readonly host: string | undefined;
  readonly port: number;
  readonly publicHost: string | undefined;
  /** What the names of HTTP tunnels are below. */
  readonly domain: string | undefined;
  /** What this machine calls itself. */
  readonly ownName: string;
  /** What its certificate is for; undefined without TLS. */
  readonly certificateNames: readonly string[] | undefined;
}

/** What clients on other machines give behind --to. */
export interface AddressForClients {
  readonly to: string;
  /** Where a person has to fill in or check something: what. */
  readonly note: string | undefined;
}

export function addressForClients(server: ServerWhereabouts): AddressForClients {
  const { host, port, domain, ownName, certificateNames } = server;
  // A domain is its server's own name, too.
  const publicHost = server.publicHost ?? (domain === undefined || isLoopback(domain) ? undefined : domain);
  if (certificateNames !== undefined) return addressByCertificate({ ...server, publicHost }, certificateNames);
  if (host !== undefined && isLoopback(host)) return addressOfProxy(publicHost);
  const knownHost = publicHost ?? hostToDial(host);
  const to = plainAddress(knownHost ?? ownName, port);
  return {
    to,
    note: knownHost === undefined ? "where that name is not known, put this machine's address there" : undefined,
  };
}

/** A client refuses a certificate that is for another name than the one in its --to. */
function addressByCertificate(server: ServerWhereabouts, certificateNames: readonly string[]): AddressForClients {
  const { host, port, publicHost, ownName } = server;
  const at = (name: string): string => formatServerAddress({ secure: true, host: name, port, path: '/' });
  const known = [publicHost, hostToDial(host), ownName].filter((name) => name !== undefined);
  const name =
    known.find((each) => !isLoopback(each) && isNamed(each, certificateNames)) ??
    mostUseful(certificateNames) ??
    publicHost ??
    certificateNames[0];
  if (name === undefined) {
    return { to: at(PLACEHOLDER), note: `put the name that clients call this server by in place of ${PLACEHOLDER}` };
  }
  if (name.includes('*')) {
    const note = `the certificate is for ${name}: put the name that leads here in place of ${PLACEHOLDER}`;
    return { to: at(name.replace('*', PLACEHOLDER)), note };
  }
  const isOther = publicHost !== undefined && !isNamed(publicHost, certificateNames);
  return { to: at(name), note: isOther ? `the certificate is not for ${publicHost}` : undefined };
}

/** A whole name that means something elsewhere, else one with an asterisk. */
function mostUseful(names: readonly string[]): string | undefined {
  const isWhole = (name: string): boolean => !name.includes('*');
  return names.find((name) => isWhole(name) && !isLoopback(name)) ?? names.find((name) => !isWhole(name));
}

/** Only a reverse proxy on this machine gets here, and only it knows under which address. */
function addressOfProxy(publicHost: string | undefined): AddressForClients {
  const to = formatServerAddress({ secure: true, host: publicHost ?? PLACEHOLDER, port: 443, path: '/' });
  const note =
    publicHost === undefined
      ? `put the address of the reverse proxy in front of this server in place of ${PLACEHOLDER}, with its path if it has one`
      : 'where the reverse proxy in front of this server has another port, a path, or no TLS, put that there';
  return { to, note };
}

/** The shortest text that names a server without TLS. */
function plainAddress(host: string, port: number): string {
  return port === DEFAULT_CONTROL_PORT && !host.includes(':') ? host : formatTarget({ host, port });
}

/** RFC 6125: an asterisk stands for one label. */
function isNamed(host: string, names: readonly string[]): boolean {
  if (isIP(host) !== 0) return names.some((name) => canonicalAddress(name)?.text === canonicalAddress(host)?.text);
  const wildcard = host.replace(/^[^.]+/, '*');
  return names.some(
    (name) => name.toLowerCase() === host.toLowerCase() || name.toLowerCase() === wildcard.toLowerCase(),
  );
}

/** What a certificate in PEM is for: names, perhaps with an asterisk, and addresses. Without any, its common name. */
export function namesInCertificate(pem: string): readonly string[] {
  const { subject, subjectAltName = '' } = new X509Certificate(pem);
  const names = [...subjectAltName.matchAll(/(?:DNS|IP Address):([^\s,"]+)/g)].map(([, name = '']) => name);
  if (names.length > 0) return names;
  return /^CN=(\S+)$/m.exec(subject)?.slice(1, 2) ?? [];
}
