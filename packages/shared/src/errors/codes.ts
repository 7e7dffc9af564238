/**
 * What to do after a failure.
 *
 * - `fatal`: trying again cannot help; the program ends.
 * - `fatal-at-start`: as `fatal` until this process has had an established link, then retried.
 * - `retry`: may pass by itself, or may have been caused by someone on the path; retried with backoff.
 * - `retry-now`: the next attempt differs, so it need not wait for the backoff.
 */
export type Disposition = 'fatal' | 'fatal-at-start' | 'retry' | 'retry-now';

/** Who has to act to resolve the failure. */
export type Fault = 'usage' | 'network' | 'server' | 'client' | 'service' | 'nobody' | 'program';

export interface ErrorKind {
  readonly disposition: Disposition;
  readonly fault: Fault;
  /** Exit code when this ends the program. */
  readonly exitCode: number;
  /** One lower-case clause without a full stop, followed by the `detail` of a `TunnelError`. */
  readonly summary: string;
  /**
   * Marks a fatal code that a server may send, and from when a client believes it: in answer to message 3, or only once
   * the session is established. A client ignores any other fatal code from a peer.
   */
  readonly refusal?: 'at-handshake' | 'in-session';
  /** The session is gone, not only its link. */
  readonly endsSession?: true;
  /** The attempt failed before anything answered: a proxy may be needed. */
  readonly beforeAnyAnswer?: true;
}

/** Every failure that is reported on the wire, in an event or on the terminal. */
export const ERRORS = {
  // ── usage and files (exit code 2) ──
  usage: kind('fatal', 'usage', 2, 'wrong usage'),
  'secret-missing': kind(
    'fatal',
    'usage',
    2,
    "no secret was given, and this server's key is not known yet, so anyone could pass for it",
  ),
  'secret-unusable': kind('fatal', 'usage', 2, 'cannot use the secret'),
  'key-unusable': kind('fatal', 'usage', 2, 'not a valid key'),
  'config-unusable': kind('fatal', 'usage', 2, 'cannot use the configuration file'),
  'keys-unusable': kind('fatal', 'usage', 2, 'cannot use the authorized keys file'),
  'state-unusable': kind('fatal', 'usage', 2, 'cannot use the state directory'),
  'state-damaged': kind('fatal', 'usage', 2, 'a file in the state directory is damaged'),
  'cache-damaged': kind('retry', 'nobody', 1, 'a cache file is damaged'),
  'state-locked': kind('fatal', 'usage', 2, 'another server is using this state directory'),
  'file-foreign': kind('fatal', 'usage', 2, 'a private file or directory belongs to another user'),
  'tls-unusable': kind('fatal', 'usage', 2, 'cannot use the TLS certificate or its key'),
  'server-not-found': kind(
    'fatal',
    'usage',
    2,
    'no server was given, and none is running on this machine for this user',
  ),

  // ── steps of an attempt ──
  'dns-failed': kind('retry', 'network', 4, 'cannot resolve the host name', { beforeAnyAnswer: true }),
  'tcp-refused': kind('retry', 'server', 4, 'connection refused', { beforeAnyAnswer: true }),
  'tcp-unreachable': kind('retry', 'network', 4, 'the server is unreachable', { beforeAnyAnswer: true }),
  'tcp-timeout': kind('retry', 'network', 4, 'connection timed out', { beforeAnyAnswer: true }),
  'tcp-failed': kind('retry', 'network', 4, 'cannot connect', { beforeAnyAnswer: true }),
  'tls-failed': kind('retry', 'server', 4, 'TLS connection failed'),
  'upgrade-refused': kind('retry', 'server', 4, 'the address did not accept a WebSocket connection'),
  'upgrade-failed': kind('retry', 'server', 4, 'the connection closed before the WebSocket was open'),
  'handshake-failed': kind('retry', 'server', 4, 'the handshake failed'),
  'attempt-timeout': kind('retry', 'network', 4, 'the connection attempt timed out', { beforeAnyAnswer: true }),
  'proxy-unreachable': kind('retry', 'network', 4, 'cannot connect to the proxy'),
  'proxy-auth-required': kind('fatal-at-start', 'usage', 3, 'the proxy requires authentication'),
  'proxy-refused': kind('retry', 'network', 4, 'the proxy refused the connection'),
  'proxy-failed': kind('retry', 'network', 4, 'the proxy could not reach the server'),
  'proxy-unusable': kind('retry', 'network', 4, 'the address did not answer as this type of proxy'),

  // ── found only by `tunnel doctor` ──
  'public-port-unreachable': kind('retry', 'network', 4, 'the public port is not reachable from here'),
  'public-way-failed': kind('retry', 'network', 4, 'data sent to the public port did not come back intact'),
  'clock-wrong': kind('retry', 'client', 4, "this machine's clock is wrong"),

  // ── identity ──
  'secret-refused': kind('fatal', 'usage', 3, 'the server rejected the secret', { refusal: 'at-handshake' }),
  'key-refused': kind('fatal', 'usage', 3, 'the server does not admit this client', { refusal: 'at-handshake' }),
  'server-key-changed': kind('fatal-at-start', 'server', 3, "the server's identity key has changed"),
  'version-unsupported': kind('fatal', 'usage', 5, 'client and server have no protocol version in common'),

  // ── requests ──
  'port-not-allowed': kind('fatal', 'usage', 5, 'the server does not allow this port', { refusal: 'in-session' }),
  'port-in-use': kind('fatal-at-start', 'server', 5, 'the public port is in use'),
  'port-unavailable': kind('retry', 'server', 5, 'the server could not open a public port'),
  'host-not-allowed': kind('fatal', 'usage', 5, 'the server does not allow this host name', { refusal: 'in-session' }),
  'host-in-use': kind('fatal-at-start', 'server', 5, 'the host name is in use'),
  'host-unavailable': kind('retry', 'server', 5, 'the server could not take requests for this host name'),
  'tunnel-limit': kind('fatal', 'usage', 5, 'too many tunnels', { refusal: 'in-session' }),
  'terms-refused': kind('fatal', 'usage', 5, 'the server does not support these terms', {
    refusal: 'in-session',
  }),

  // ── server state and sessions ──
  'at-capacity': kind('retry', 'server', 4, 'the server is at capacity'),
  'stale-link': kind('retry', 'nobody', 4, 'a newer link of this client has taken over'),
  'session-unknown': kind('retry-now', 'server', 4, 'the server no longer knows this session', { endsSession: true }),
  'session-expired': kind('retry-now', 'nobody', 4, 'the session was without a link for too long', {
    endsSession: true,
  }),
  'session-taken-over': kind('retry', 'nobody', 5, 'another process with the same identity took over the public port', {
    endsSession: true,
  }),

  // ── ends of a link ──
  'heartbeat-timeout': kind('retry', 'network', 4, 'the other side stopped responding'),
  'link-closed': kind('retry', 'server', 4, 'the other side closed the link'),
  'link-reset': kind('retry', 'network', 4, 'the connection broke'),
  'link-replaced': kind('retry', 'nobody', 4, 'a newer link took over'),
  'record-unreadable': kind('retry', 'network', 4, 'cannot decrypt the data received'),
  'protocol-error': kind('retry', 'program', 4, 'the other side violated the protocol'),

  // ── server ──
  'listen-in-use': kind('fatal', 'usage', 6, 'the address is already in use'),
  'listen-denied': kind('fatal', 'usage', 6, 'no permission to listen on this address'),
  'listen-failed': kind('fatal', 'usage', 6, 'cannot listen on this address'),

  // ── certificates of a server ──
  'certificate-unfit': kind('retry', 'usage', 1, 'no certificate is for the names of HTTP tunnels'),
  'certificate-failed': kind('retry', 'server', 1, 'no certificate was issued'),
  'certificate-limit': kind('retry', 'server', 1, 'no more certificates are asked for at the moment'),

  // ── stream resets ──
  'stream-reset': kind('retry', 'nobody', 1, 'the connection was reset'),
  'service-unavailable': kind('retry', 'service', 4, 'the local service did not accept the connection'),
  'target-loop': kind(
    'retry',
    'service',
    1,
    'the target leads back to a public port of this client, so every visitor would create another one',
  ),
  'host-refused': kind('retry', 'service', 1, 'the service does not answer to the public host name'),
  'handler-failed': kind('retry', 'service', 1, 'the function that serves visitors failed'),
  'stream-idle': kind('retry', 'nobody', 1, 'an idle connection was reset'),
  'stream-limit': kind('retry', 'server', 1, 'too many connections at once'),
  'visitor-denied': kind('retry', 'nobody', 1, "the visitor's address is not allowed"),
  'proxy-header-unusable': kind('retry', 'usage', 1, 'a connection did not begin with a PROXY header'),
  'visitor-limit': kind('retry', 'nobody', 1, 'too many visitors at once'),
  'stream-unexpected': kind('retry', 'program', 1, 'this side does not open streams'),
  'session-lost': kind('retry', 'nobody', 1, 'the session could not be resumed'),
  'tunnel-closed': kind('retry', 'nobody', 1, 'the tunnel was closed'),

  // ── ends ──
  stopped: kind('fatal', 'nobody', 0, 'stopped'),
  'server-stopped': kind('retry', 'server', 4, 'the server is shutting down'),
  internal: kind('fatal', 'program', 1, 'internal error'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether this version knows a code that came over the wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** What the registry says about a code. */
export function kindOf(code: ErrorCode): ErrorKind {
  return ERRORS[code];
}

function kind(
  disposition: Disposition,
  fault: Fault,
  exitCode: number,
  summary: string,
  promises: Pick<ErrorKind, 'refusal' | 'endsSession' | 'beforeAnyAnswer'> = {},
): ErrorKind {
  return { disposition, fault, exitCode, summary, ...promises };
}
