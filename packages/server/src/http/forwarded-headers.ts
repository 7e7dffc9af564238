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

/** What a visitor says of itself; we know better. */
const FORWARDING: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'forwarded',
]);

/** Naming these in `Connection` would change whom a request is for, or where it ends. */
const NEVER_NAMED: ReadonlySet<string> = new Set(['host', 'content-length', 'via']);

/** Methods whose requests have no body if no header says otherwise: the service's parser knows that, too. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** How the request came. */
export interface Arrival {
  readonly isTls: boolean;
  /** Of whoever is at the other end of the connection, without a port. */
  readonly address: string;
  /** Whether that is a proxy that is believed what it says of the visitor. */
  readonly isTrusted: boolean;
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
  let isChunked = false;
  let hasHost = false;
  const hasTrailers = valuesOf(rawHeaders, 'transfer-encoding').length > 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const key = name.toLowerCase();
    if (key === 'content-length') isFramed = true;
    if (key === 'transfer-encoding') isChunked = true;
    if (key === 'te' && value.toLowerCase().includes('trailers')) headers.push(name, 'trailers');
    if (HOP_BY_HOP.has(key) || named?.has(key) === true || terms.removed.has(key)) continue;
    if (FORWARDING.has(key) && !arrival.isTrusted) continue;
    if (key === 'x-forwarded-for' || key === 'forwarded') continue;
    if (key === 'authorization' && terms.credentials) continue;
    // Only what comes in chunks has trailers, and Node throws at anything else that announces some.
    if (key === 'trailer' && !hasTrailers) continue;
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
  addForwarding(headers, rawHeaders, arrival, terms);
  headers.push('Via', `${arrival.httpVersion} ${viaName}`);
  for (const { name, value } of terms.set) headers.push(name, value);
  if (isUpgrade) headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  else headers.push('Connection', 'keep-alive');
  if (isChunked) headers.push('Transfer-Encoding', 'chunked');
  else if (!isFramed && !BODILESS.has(method)) headers.push('Content-Length', '0');
  return headers;
}

/** The raw headers that the visitor gets. `mayHaveTrailers`: it gets the body in chunks; Node throws at anything else that announces trailers. */
export function forwardResponseHeaders(
  rawHeaders: readonly string[],
  terms: HttpTerms,
  mayHaveTrailers: boolean,
): string[] {
  const named = namedInConnection(rawHeaders);
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const key = name.toLowerCase();
    if (HOP_BY_HOP.has(key) || named?.has(key) === true || terms.removedFromResponse.has(key)) continue;
    if (key === 'trailer' && !mayHaveTrailers) continue;
    headers.push(name, rawHeaders[index + 1] ?? '');
  }
  for (const { name, value } of terms.setInResponse) headers.push(name, value);
  return headers;
}

function addForwarding(
  headers: string[],
  rawHeaders: readonly string[],
  arrival: Arrival,
  { removed }: HttpTerms,
): void {
  const { address, authority, isTls, isTrusted } = arrival;
  const before = (name: string): string[] => (isTrusted ? valuesOf(rawHeaders, name) : []);
  const proto = isTls ? 'https' : 'http';
  const add = (name: string, value: string): void => {
    if (!removed.has(name.toLowerCase())) headers.push(name, value);
  };
  add('X-Forwarded-For', [...before('x-forwarded-for'), address].join(', '));
  if (before('x-forwarded-proto').length === 0) add('X-Forwarded-Proto', proto);
  if (before('x-forwarded-host').length === 0) add('X-Forwarded-Host', authority);
  const node = address.includes(':') ? `"[${address}]"` : address;
  const element = `for=${node};host=${quotedIfNeeded(authority)};proto=${proto}`;
  add('Forwarded', [...before('forwarded'), element].join(', '));
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
