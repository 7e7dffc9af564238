/** Wire numbers of the terms in a TUNNEL-REQUEST. */
export const TERM_TYPE = {
  allow: 1,
  deny: 2,
  maxConnections: 3,
  basicAuth: 4,
  hostHeader: 5,
  setHeader: 6,
  removeHeader: 7,
  setResponseHeader: 8,
  upstream: 9,
} as const;

/** Of a basic-auth term, in bytes: its digest is SHA-256. */
export const AUTH_SALT_BYTES = 16;
export const AUTH_DIGEST_BYTES = 32;

/** Their numbers on the wire are their places. */
export const UPSTREAMS = ['http', 'h2c'] as const;
export type Upstream = (typeof UPSTREAMS)[number];

/** Flag of a host-header term. */
export const REWRITES_ORIGIN = 1;

/** A term of a tunnel: what holds for its visitors, and what is changed in their requests. Types 4 to 9 are for HTTP hosts only. */
export type Term =
  /** A network or an address as text, in CIDR notation. */
  | { readonly term: 'allow' | 'deny'; readonly network: string }
  /** Visitors at once, at least 1: connections, or requests. */
  | { readonly term: 'max-connections'; readonly limit: number }
  /** Lets a visitor in who gives these credentials: SHA-256 of salt, user, `:` and password. Of several one has to fit. */
  | { readonly term: 'basic-auth'; readonly salt: Uint8Array; readonly digest: Uint8Array }
  /** The Host that the service sees. `rewritesOrigin`: an Origin that is the public one becomes this one, too. */
  | { readonly term: 'host-header'; readonly host: string; readonly rewritesOrigin: boolean }
  /** Replaces a header of requests, or of answers. */
  | { readonly term: 'set-header'; readonly name: string; readonly value: string }
  | { readonly term: 'set-response-header'; readonly name: string; readonly value: string }
  | { readonly term: 'remove-header'; readonly name: string }
  /** What the service speaks: HTTP/1.1, or HTTP/2 from the first byte on. */
  | { readonly term: 'upstream'; readonly speaks: Upstream }
  /** From a later version. A tunnel must not be opened without it. */
  | { readonly term: 'unknown'; readonly type: number; readonly value: Uint8Array };
