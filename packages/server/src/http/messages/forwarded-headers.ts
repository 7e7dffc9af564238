// What is changed in the heads of requests and answers on their way: RFC 9110, section 7.6, and the terms of the tunnel.
import type { HttpTerms } from './terms.ts';
import { valuesOf } from './request-head.ts';

/** They hold for one connection only. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What a visitor, or somebody in front, says of where the request comes from: what is known here takes its place. */
const FORWARDING: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'forwarded',
]);

/** They say where a body ends, whom a request is for or who sent it, and so stand before the body: RFC 9110, section 6.5.1. */
const NEVER_TRAILERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...FORWARDING,
  'authorization',
  'content-length',
  'cookie',
  'host',
  'proxy-authorization',
  'trailer',
  'via',
]);

/** Naming these in `Connection` would change whom a request is for, or where it ends. */
const NEVER_NAMED: ReadonlySet<string> = new Set(['host', 'content-length', 'via']);

/** Methods whose requests have no body if no header says otherwise: the service's parser knows that, too. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** How the request came. */
export interface Arrival {
  readonly proto: 'http' | 'https';
  /** Addresses without ports: the visitor's, and those of the trusted proxies in front, up to the other end of the connection. */
  readonly route: readonly string[];
  /** As the visitor wrote the host, with the port. */
  readonly authority: string;
  readonly httpVersion: string;
}

export interface RequestHeadOptions {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly arrival: Arrival;
  readonly terms: HttpTerms;
  /** What this server calls itself in `Via`. */
  readonly viaName: string;
  /** To be upgraded to a WebSocket. */
  readonly isUpgrade: boolean;
}

/** The raw headers that the service gets. */
export function forwardRequestHeaders(options: RequestHeadOptions): string[] {
  const { method, rawHeaders, arrival, terms, viaName, isUpgrade } = options;
  const named = namedInConnection(rawHeaders);
  const headers: string[] = [];
  let isFramed = false;
  const isChunked = valuesOf(rawHeaders, 'transfer-encoding').length > 0;
  let hasHost = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const key = name.toLowerCase();
    if (key === 'content-length') isFramed = true;
    if (key === 'te' && value.toLowerCase().includes('trailers')) headers.push(name, 'trailers');
    if (HOP_BY_HOP.has(key) || terms.removed.has(key) || passesForAnother(key, terms.removed)) continue;
    // Node throws at an announcement of trailers that cannot come.
    if (key === 'trailer' && !isChunked) continue;
    // What a trusted proxy says of a visitor is not for the visitor to take out.
    if (FORWARDING.has(key) || named?.has(key) === true) continue;
    if (key === 'authorization' && terms.credentials) continue;
    if (key === 'host') {
      hasHost = true;
      headers.push(name, terms.host ?? value);
    } else if (key === 'origin' && terms.rewritesOrigin && terms.host !== undefined) {
      headers.push(name, isOwnOrigin(value, arrival.authority) ? `http://${terms.host}` : value);
    } else {
      headers.push(name, value);
    }
  }
  if (!hasHost) headers.push('Host', terms.host ?? arrival.authority);
  addForwarding(headers, arrival, terms);
  headers.push('Via', `${arrival.httpVersion} ${viaName}`);
  for (const { name, value } of terms.set) headers.push(name, value);
  if (isUpgrade) headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  else headers.push('Connection', 'keep-alive');
  if (isChunked) headers.push('Transfer-Encoding', 'chunked');
  else if (!isFramed && !BODILESS.has(method)) headers.push('Content-Length', '0');
  return headers;
}

/** The raw headers that the visitor gets. `mayHaveTrailers`: Node throws at an announcement of trailers that cannot come. */
export function forwardResponseHeaders(
  rawHeaders: readonly string[],
  terms: HttpTerms,
  mayHaveTrailers = false,
): string[] {
  const named = namedInConnection(rawHeaders);
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const key = name.toLowerCase();
    if (HOP_BY_HOP.has(key) || named?.has(key) === true || terms.removedFromResponse.has(key)) continue;
    if (key === 'trailer' && !mayHaveTrailers) continue;
    const value = rawHeaders[index + 1] ?? '';
    headers.push(name, key === 'location' ? withoutLocalAddress(value, terms) : value);
  }
  for (const { name, value } of terms.setInResponse) headers.push(name, value);
  return headers;
}

/** A service that believes it was asked at its own address also sends visitors there: the path alone is the same at the public one. */
function withoutLocalAddress(location: string, { host, rewritesOrigin }: HttpTerms): string {
  if (!rewritesOrigin || host === undefined) return location;
  const origin = `http://${host}`;
  const path = location.slice(origin.length);
  // What begins with two slashes would be another host.
  const isLocal = location.toLowerCase().startsWith(origin.toLowerCase()) && /^(?:$|[?#]|\/(?![/\\]))/.test(path);
  if (!isLocal) return location;
  return path.startsWith('/') ? path : `/${path}`;
}

/** Trailers that may pass, as pairs. `removed` has names in lower case. */
export function forwardTrailers(
  rawTrailers: readonly string[],
  removed: ReadonlySet<string>,
): (readonly [name: string, value: string])[] {
  const trailers: (readonly [string, string])[] = [];
  for (let index = 0; index < rawTrailers.length; index += 2) {
    const name = rawTrailers[index] ?? '';
    const key = name.toLowerCase();
    if (NEVER_TRAILERS.has(key) || removed.has(key) || passesForAnother(key, removed)) continue;
    trailers.push([name, rawTrailers[index + 1] ?? '']);
  }
  return trailers;
}

/**
 * CGI, and what is made after it (WSGI, Rack, PHP), cannot tell `X_Forwarded_For` from `X-Forwarded-For`: with an underscore a
 * visitor would say what is ours to say.
 */
function passesForAnother(key: string, removed: ReadonlySet<string>): boolean {
  if (!key.includes('_')) return false;
  const other = key.replaceAll('_', '-');
  return NEVER_TRAILERS.has(other) || removed.has(other);
}

function addForwarding(headers: string[], { route, authority, proto }: Arrival, { removed }: HttpTerms): void {
  const add = (name: string, value: string): void => {
    if (!removed.has(name.toLowerCase())) headers.push(name, value);
  };
  const nodes = route.map((address) => `for=${address.includes(':') ? `"[${address}]"` : address}`);
  add('X-Forwarded-For', route.join(', '));
  add('X-Forwarded-Proto', proto);
  add('X-Forwarded-Host', authority);
  add('Forwarded', `${nodes.join(', ')};host=${quotedIfNeeded(authority)};proto=${proto}`);
}

/** RFC 7239, section 4: a port makes it more than a token. */
function quotedIfNeeded(authority: string): string {
  return /^[\w.!#$&'*+^`|~-]+$/.test(authority) ? authority : `"${authority}"`;
}

function namedInConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (const value of valuesOf(rawHeaders, 'connection')) {
    for (const part of value.split(',')) {
      const key = part.trim().toLowerCase();
      if (key === '' || key === 'keep-alive' || key === 'close' || NEVER_NAMED.has(key)) continue;
      named ??= new Set();
      named.add(key);
    }
  }
  return named;
}

function isOwnOrigin(origin: string, authority: string): boolean {
  const lower = origin.toLowerCase();
  return lower === `http://${authority}`.toLowerCase() || lower === `https://${authority}`.toLowerCase();
}
