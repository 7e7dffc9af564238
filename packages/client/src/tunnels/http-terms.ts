import { createHash } from 'node:crypto';
import { TunnelError, type Term } from '@tunnel/shared';
import type { HttpOptions, TunnelOptions } from '../options.ts';
import { isInProcess } from '../services/in-process-service.ts';
import { formatTarget } from '../services/target.ts';
import { problemOfHeader, problemOfHeaderName } from './header-fields.ts';
import { problemOfHostHeader, problemOfHostName } from './host-name.ts';

/** What a service sees as Host that has no address of its own. */
const LOCAL_HOST = 'localhost';

// oxlint-disable-next-line no-control-regex -- RFC 7617, section 2, forbids them
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * What the server is to do with the requests of an HTTP tunnel, and of whom it takes them. `salt` is for the digests of
 * passwords. Throws `usage` for options that cannot be met.
 */
export function httpTermsOf({ target, http = {} }: TunnelOptions, salt: Uint8Array): readonly Term[] {
  requireHttpOptions(http);
  if (http.upstream === 'https' && isInProcess(target)) {
    throw new TunnelError('usage', { detail: 'upstream https: there is no TLS within this process' });
  }
  const { basicAuth = [], hostHeader = 'keep', setHeaders = [], removeHeaders = [], setResponseHeaders = [] } = http;
  return [
    ...basicAuth.map((credentials) => ({ term: 'basic-auth', salt, digest: digestOf(salt, credentials) }) as const),
    ...hostHeaderTerms(hostHeader, target),
    ...(http.upstream === 'h2c' ? [{ term: 'upstream', speaks: 'h2c' } as const] : []),
    ...setHeaders.map(({ name, value }) => ({ term: 'set-header', name, value }) as const),
    ...removeHeaders.map((name) => ({ term: 'remove-header', name }) as const),
    ...setResponseHeaders.map(({ name, value }) => ({ term: 'set-response-header', name, value }) as const),
  ];
}

/** Servers take longer ones for wrong. */
const CREDENTIALS_LIMIT = 4096;

/** Why these cannot be credentials; undefined if they can. They are not in what is returned. */
export function problemOfCredentials(text: string): string | undefined {
  if (!text.includes(':')) return 'credentials are a user, a colon and a password';
  if (Buffer.byteLength(text) > CREDENTIALS_LIMIT) return `credentials have at most ${CREDENTIALS_LIMIT} bytes`;
  return CONTROL.test(text) ? 'credentials have no control characters' : undefined;
}

function hostHeaderTerms(hostHeader: string, target: TunnelOptions['target']): readonly Term[] {
  if (hostHeader === 'keep') return [];
  if (hostHeader !== 'local') return [{ term: 'host-header', host: hostHeader, rewritesOrigin: false }];
  const host = isInProcess(target) || 'path' in target ? LOCAL_HOST : formatTarget(target);
  return [{ term: 'host-header', host, rewritesOrigin: true }];
}

function digestOf(salt: Uint8Array, credentials: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(salt).update(credentials).digest());
}

function requireHttpOptions(http: HttpOptions): void {
  const {
    host,
    basicAuth = [],
    hostHeader = 'keep',
    setHeaders = [],
    removeHeaders = [],
    setResponseHeaders = [],
  } = http;
  const of = (option: string, problem: string | undefined): string | undefined => problem && `${option}: ${problem}`;
  const isWord = hostHeader === 'keep' || hostHeader === 'local';
  const problems = [
    host === undefined ? undefined : of(`host ${host}`, problemOfHostName(host)),
    ...basicAuth.map((credentials) => of('basicAuth', problemOfCredentials(credentials))),
    isWord ? undefined : of(`hostHeader ${hostHeader}`, problemOfHostHeader(hostHeader)),
    ...setHeaders.map((header) => of('setHeaders', problemOfHeader(header))),
    ...removeHeaders.map((name) => of('removeHeaders', problemOfHeaderName(name))),
    ...setResponseHeaders.map((header) => of('setResponseHeaders', problemOfHeader(header))),
  ];
  const detail = problems.find((problem) => problem !== undefined);
  if (detail !== undefined) throw new TunnelError('usage', { detail });
}
