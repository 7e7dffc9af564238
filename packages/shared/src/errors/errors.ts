/**
 * What to do after a failure.
 *
 * - `fatal`: trying again cannot help; the program ends.
 * - `fatal-at-start`: as `fatal` before this process had its first established link, retried afterwards.
 * - `retry`: passes by itself, or somebody on the path could have caused it; tried again with backoff.
 * - `retry-now`: the next attempt is a different one, so it need not wait for the backoff to grow.
 */
export type Disposition = 'fatal' | 'fatal-at-start' | 'retry' | 'retry-now';

/** Who has to act for the failure to go away. */
export type Fault = 'usage' | 'network' | 'server' | 'client' | 'service' | 'nobody' | 'program';

export interface ErrorKind {
  readonly disposition: Disposition;
  readonly fault: Fault;
  /** Exit code when this ends the program. */
  readonly exitCode: number;
  /** One lower-case clause without a full stop; `detail` of a `TunnelError` is put behind it. */
  readonly summary: string;
  /** What a person can do about it. */
  readonly hint: string;
}

/** Every failure that this product tells anybody about, on the wire, in an event or in the terminal. */
export const ERRORS = {
  // ── usage and files (exit 2) ──
  usage: kind('fatal', 'usage', 2, 'wrong usage', 'run the command with --help'),
  'secret-missing': kind(
    'fatal',
    'usage',
    2,
    'no secret was given, and the key of this server is not known here: it could be anybody',
    'give the secret that the server printed: --secret-file FILE, --secret SECRET or TUNNEL_SECRET; or its key with --server-key, where it admits this client by its own key',
  ),
  'secret-unusable': kind(
    'fatal',
    'usage',
    2,
    'the secret cannot be used',
    'give a file that holds the secret on its first line',
  ),
  'key-unusable': kind(
    'fatal',
    'usage',
    2,
    'the key cannot be used',
    'copy the key whole: it has 43 characters (32 bytes in base64url)',
  ),
  'config-unusable': kind(
    'fatal',
    'usage',
    2,
    'the configuration file cannot be used',
    'correct it; docs/configuration.md has all keys',
  ),
  'keys-unusable': kind(
    'fatal',
    'usage',
    2,
    'the file of authorized keys cannot be used',
    'correct it: a line is OPTIONS KEY COMMENT, as in ports="8000-8010",tunnels=3 KEY laptop, or only KEY',
  ),
  'state-unusable': kind(
    'fatal',
    'usage',
    2,
    'the state directory cannot be used',
    'make it writable for this user, or give another one with --state-dir',
  ),
  'state-damaged': kind(
    'fatal',
    'usage',
    2,
    'a file in the state directory is damaged',
    'restore it from a backup; or remove it, and then every peer has to learn the new one',
  ),
  'cache-damaged': kind(
    'retry',
    'nobody',
    1,
    'a file of remembered values is damaged',
    'nothing: it was set aside and is made anew',
  ),
  'state-locked': kind(
    'fatal',
    'usage',
    2,
    'another server uses this state directory',
    'stop the other server, or give this one a directory of its own with --state-dir',
  ),
  'file-foreign': kind(
    'fatal',
    'usage',
    2,
    'a private file or directory belongs to another user',
    'run this as its owner, give it to this user with chown, or name another one: whoever owns it can read and change it',
  ),
  'tls-unusable': kind(
    'fatal',
    'usage',
    2,
    'the TLS certificate or its key cannot be used',
    'give the certificate with its chain and its key, both in PEM: --tls-cert FILE --tls-key FILE',
  ),
  'server-not-found': kind(
    'fatal',
    'usage',
    2,
    'no server was named and none runs on this machine for this user',
    'name the server with --to HOST, or start one here with `tunnel server`',
  ),

  // ── the steps of an attempt ──
  'dns-failed': kind(
    'retry',
    'network',
    4,
    'the name could not be looked up',
    'correct the host name, or give an IP address in its place',
  ),
  'tcp-refused': kind(
    'retry',
    'server',
    4,
    'connection refused',
    'see that `tunnel server` runs there, and that this is its port (default 7835)',
  ),
  'tcp-unreachable': kind(
    'retry',
    'network',
    4,
    'the server cannot be reached',
    'connect this machine to a network from which the server can be reached; with IPv6 only, the server needs an IPv6 address',
  ),
  'tcp-timeout': kind(
    'retry',
    'network',
    4,
    'no answer in time',
    "see that this is the server's address, and that no firewall drops the packets to its control port (default 7835)",
  ),
  'tcp-failed': kind(
    'retry',
    'network',
    4,
    'the connection could not be made',
    'see that the server runs at one of these addresses, and that firewalls let its port through',
  ),
  'tls-failed': kind(
    'retry',
    'server',
    4,
    'no TLS connection could be made',
    'correct the certificate of the server, or the port; use ws:// where there is no TLS',
  ),
  'upgrade-refused': kind(
    'retry',
    'server',
    4,
    'what answered did not accept a WebSocket',
    'correct address, port or path; a reverse proxy has to pass WebSocket upgrades on',
  ),
  'upgrade-failed': kind(
    'retry',
    'server',
    4,
    'the connection ended before the WebSocket was open',
    'correct address or port if that is no tunnel server; begin the address with wss:// if it has a certificate',
  ),
  'handshake-failed': kind(
    'retry',
    'server',
    4,
    'the handshake failed',
    'correct the address if that is no tunnel server; if it is one, go around what changes the traffic in between, or use wss://',
  ),
  'attempt-timeout': kind(
    'retry',
    'network',
    4,
    'the attempt took too long',
    'allow more with --connect-timeout, or see with `tunnel doctor` which step it is that takes so long',
  ),
  'proxy-unreachable': kind(
    'retry',
    'network',
    4,
    'the proxy cannot be reached',
    "correct the proxy's address in --proxy or in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; or name the server in NO_PROXY to go without",
  ),
  'proxy-auth-required': kind(
    'fatal-at-start',
    'usage',
    3,
    'the proxy demands credentials',
    "put user and password before the host in the proxy's URL: user:password@host:port",
  ),
  'proxy-refused': kind(
    'retry',
    'network',
    4,
    'the proxy does not allow the connection',
    'many proxies allow port 443 only: let the server be reached there, with wss://, or have its address allowed',
  ),
  'proxy-failed': kind(
    'retry',
    'network',
    4,
    'the proxy did not reach the server',
    "see that the server runs, and that the proxy's machine can reach it at this address",
  ),
  'proxy-unusable': kind(
    'retry',
    'network',
    4,
    'what answered is no proxy of this kind',
    "correct the proxy's address, or its kind: http://, https:// or socks5://",
  ),

  // ── what only `tunnel doctor` looks at ──
  'public-port-unreachable': kind(
    'retry',
    'network',
    4,
    'the public port cannot be reached from here',
    "open the public ports (--min-port to --max-port) in the server's firewall, and try from another network: some do not lead back to their own address",
  ),
  'public-way-failed': kind(
    'retry',
    'network',
    4,
    'what was sent to the public port did not come back whole',
    'check that the public address leads to this server, and to nothing else that answers there',
  ),
  'clock-wrong': kind('retry', 'client', 4, "this machine's clock is wrong", 'set it: certificates are judged by it'),

  // ── who is who ──
  'secret-refused': kind(
    'fatal',
    'usage',
    3,
    'the server refused the secret',
    'use the secret of that server: it prints the client command when it starts on a terminal, and keeps it in `server/secret` in its state directory',
  ),
  'key-refused': kind(
    'fatal',
    'usage',
    3,
    'the server does not admit this client',
    "have this client's public key listed in the server's authorized keys",
  ),
  'server-key-changed': kind(
    'fatal-at-start',
    'server',
    3,
    'the server is not who it was',
    'if the server was really set up anew, remove the pin file named above and start this client again, or give the new key with --server-key',
  ),
  'version-unsupported': kind(
    'fatal',
    'usage',
    5,
    'the two sides have no protocol version in common',
    'install the same version on both sides',
  ),

  // ── what was asked for ──
  'port-not-allowed': kind(
    'fatal',
    'usage',
    5,
    'the server does not open this port',
    'ask for one that it opens, or leave --port out; the server decides by --min-port, --max-port and authorized keys',
  ),
  'port-in-use': kind(
    'fatal-at-start',
    'server',
    5,
    'the public port is in use',
    'ask for another port, or leave --port out to get a free one',
  ),
  'port-unavailable': kind(
    'retry',
    'server',
    5,
    'the server could not open a public port',
    'at the server, remove the reason that is named; where no port is free, widen the range (--min-port, --max-port)',
  ),
  'tunnel-limit': kind(
    'fatal',
    'usage',
    5,
    'too many tunnels',
    'ask for fewer; the server has a limit for each session, and may have one for this key',
  ),

  'terms-refused': kind(
    'fatal',
    'usage',
    5,
    'the server does not take the terms of this tunnel',
    'bring the server to the version of this client, or leave out --allow, --deny and --max-connections',
  ),

  // ── what a server says about itself ──
  'at-capacity': kind('retry', 'server', 4, 'the server is at capacity', 'wait: it may have room again in a while'),
  draining: kind('retry', 'server', 4, 'the server is restarting', 'wait: it will be back soon'),
  'stale-link': kind('retry', 'nobody', 4, 'a newer link of this client took over', 'nothing: the newer link goes on'),
  'session-unknown': kind(
    'retry-now',
    'server',
    4,
    'the server does not know the session any more',
    'nothing: a new session follows',
  ),
  'session-expired': kind(
    'retry-now',
    'nobody',
    4,
    'the session was without a link for too long',
    'nothing: a new session follows',
  ),
  'session-taken-over': kind(
    'retry',
    'nobody',
    5,
    'another process with this identity took the public port',
    'run only one client with --port for each port',
  ),

  // ── how a link ends ──
  'heartbeat-timeout': kind(
    'retry',
    'network',
    4,
    'the other side is silent',
    'if it does not come back, see that the other machine is up and both are online; if it happens often, `tunnel doctor --long` looks for what cuts links',
  ),
  'link-closed': kind('retry', 'server', 4, 'the other side closed the link', "look into the server's log"),
  'link-reset': kind(
    'retry',
    'network',
    4,
    'the connection broke',
    'if it does not come back, see that the server runs and both machines are online',
  ),
  'link-replaced': kind('retry', 'nobody', 4, 'a newer link took over', 'nothing'),
  'record-unreadable': kind(
    'retry',
    'network',
    4,
    'what arrived could not be decrypted',
    'something between here and the server changes the traffic: go around it, or use wss://',
  ),
  'protocol-error': kind(
    'retry',
    'program',
    4,
    'the other side broke the protocol',
    'install the same version on both sides; if it is the same, report it',
  ),

  // ── server ──
  'listen-in-use': kind(
    'fatal',
    'usage',
    6,
    'the address is in use',
    'stop what listens there, or choose another port with --port',
  ),
  'listen-denied': kind(
    'fatal',
    'usage',
    6,
    'no permission to listen there',
    'give --port 1024 or more: lower ports need privileges',
  ),
  'listen-failed': kind(
    'fatal',
    'usage',
    6,
    'cannot listen there',
    'give --host an address of this machine, or leave it out',
  ),

  // ── why a stream was reset ──
  'stream-reset': kind('retry', 'nobody', 1, 'the connection was reset', 'nothing'),
  'service-unavailable': kind(
    'retry',
    'service',
    4,
    'the local service did not accept the connection',
    'start the service, or correct the target of the tunnel',
  ),
  'target-loop': kind(
    'retry',
    'service',
    1,
    'the target leads back to a public port of this client, so that each visitor makes the next one',
    'name the service itself as the target, not the public address',
  ),
  'handler-failed': kind(
    'retry',
    'service',
    1,
    'the function that serves visitors failed',
    'correct it; only this visitor was reset',
  ),
  'stream-idle': kind('retry', 'nobody', 1, 'a connection on which nothing moved was reset', 'nothing'),
  'stream-limit': kind('retry', 'server', 1, 'too many connections at once', 'raise the limit'),
  'visitor-denied': kind(
    'retry',
    'nobody',
    1,
    "the visitor's address is not allowed",
    'add it to --allow, or take it out of --deny',
  ),
  'proxy-header-unusable': kind(
    'retry',
    'usage',
    1,
    'a connection did not begin with a PROXY header',
    "have the load balancer send one (haproxy: send-proxy), or take its network out of the server's --accept-proxy-protocol",
  ),
  'visitor-limit': kind(
    'retry',
    'nobody',
    1,
    'as many visitors are there as may be at once',
    'raise --max-connections',
  ),
  'stream-unexpected': kind('retry', 'program', 1, 'this side opens no streams', 'nothing'),
  'session-lost': kind('retry', 'nobody', 1, 'the session could not be carried on', 'nothing'),
  'tunnel-closed': kind('retry', 'nobody', 1, 'the tunnel was closed', 'nothing'),

  // ── ends ──
  stopped: kind('fatal', 'nobody', 0, 'stopped', 'nothing'),
  'server-stopped': kind('retry', 'server', 4, 'the server was stopped', 'wait until it is started again'),
  internal: kind('fatal', 'program', 1, 'a fault of the program', 'please report it with the log'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether a code that came over the wire is one that this version knows. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

export interface TunnelErrorOptions {
  /** What the cause was, with names and values: put behind the summary. */
  readonly detail?: string;
  /** Replaces the registry's hint where more is known. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** When to come back, as whoever failed the attempt says, in ms. */
  readonly retryAfterMs?: number;
  /** Whether the server that says so proved who it is. Without that the hint counts only up to the backoff's cap. */
  readonly authenticated?: boolean;
}

/** A failure with a code from the registry. `message` is for people; decide by `code`, never by text. */
export class TunnelError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;
  readonly authenticated: boolean;

  constructor(code: ErrorCode, options: TunnelErrorOptions = {}) {
    const { summary, hint } = ERRORS[code];
    super(
      options.detail ? `${summary}: ${options.detail}` : summary,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'TunnelError';
    this.code = code;
    this.detail = options.detail ?? '';
    this.hint = options.hint ?? hint;
    this.retryAfterMs = options.retryAfterMs;
    this.authenticated = options.authenticated ?? false;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }
}

function kind(disposition: Disposition, fault: Fault, exitCode: number, summary: string, hint: string): ErrorKind {
  return { disposition, fault, exitCode, summary, hint };
}
