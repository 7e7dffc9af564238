import type { ErrorCode, SpecialHint } from '@tunnel/shared';
import { type Advice, advise, noNeed } from './advice.ts';

const CORRECT_CREDENTIALS =
  "correct the user name and password in the proxy's URL, user:password@host:port; write @ as %40 and : as %3A in them";
const SECRET_OF_SERVER =
  'use the secret of that server: it prints the client command when it starts on a terminal, and keeps the secret in `server/secret` in its state directory';
const GIVE_SECRET =
  'give the secret with --secret-file FILE, --secret SECRET or TUNNEL_SECRET: that server prints the client command when it starts on a terminal, and keeps the secret in `server/secret` in its state directory';
const SET_CLOCK = "set this machine's clock (`date` shows it); certificates are checked against it";
const ANOTHER_STATE_DIRECTORY = 'give another directory with --state-dir';
const ANOTHER_SERVER_RUNS = 'stop the other server, or give this one its own directory with --state-dir';

/** What usually helps, by error code. */
export const ADVICE_BY_CODE: Readonly<Record<ErrorCode, Advice>> = {
  // ── usage and files ──
  usage: advise('run the command with --help'),
  'secret-missing': advise(
    "give the secret that the server printed, with --secret-file FILE, --secret SECRET or TUNNEL_SECRET; or, if the server admits this client by its key, the server's key with --server-key",
  ),
  'secret-unusable': advise('give a file with the secret on its first line'),
  'key-unusable': advise('copy the whole key: it has 43 characters (32 bytes in base64url)'),
  'config-unusable': advise('correct the file; docs/configuration.md lists all keys'),
  'keys-unusable': advise(
    'correct the file: each line is OPTIONS KEY COMMENT, as in ports="8000-8010",tunnels=3 KEY laptop, or just KEY',
  ),
  'state-unusable': advise(`make it writable for this user, or ${ANOTHER_STATE_DIRECTORY}`),
  'state-damaged': advise('restore it from a backup; or remove it, and then every peer has to be given the new one'),
  'cache-damaged': noNeed('nothing to do: the file was set aside and is created again'),
  'state-locked': advise(ANOTHER_SERVER_RUNS),
  'file-foreign': advise(
    'run this as the owner, give the file to this user with chown, or use another one: its owner can read and change it',
  ),
  'tls-unusable': advise(
    'give the certificate with its chain, and its key, both in PEM: --tls-cert FILE --tls-key FILE',
  ),
  'server-not-found': advise('name the server with --to HOST, or start one here with `tunnel server`'),

  // ── the steps of an attempt ──
  'dns-failed': advise('correct the host name, or use an IP address instead'),
  'tcp-refused': advise('check that `tunnel server` is running there, and that this is its port (default 7835)'),
  'tcp-unreachable': advise('check the network of this machine; if it has IPv6 only, the server needs an IPv6 address'),
  'tcp-timeout': advise(
    "check that this is the server's address, and that no firewall drops packets to its control port (default 7835)",
  ),
  'tcp-failed': advise(
    'check that the server is running at one of these addresses, and that firewalls let its port through',
  ),
  'tls-failed': advise("correct the server's certificate, or the port; use ws:// if the server has no TLS"),
  'upgrade-refused': advise(
    'correct the address, port or path; a reverse proxy has to pass WebSocket upgrades through',
  ),
  'upgrade-failed': advise(
    'correct the address or port if this is not a tunnel server; use wss:// if it has a certificate',
  ),
  'handshake-failed': advise(
    'correct the address if this is not a tunnel server; if it is, something in between changes the traffic: bypass it, or use wss://',
  ),
  'attempt-timeout': advise('raise --connect-timeout, or run `tunnel doctor` to see which step takes so long'),
  'proxy-unreachable': advise(
    "correct the proxy's address in --proxy or in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; or list the server in NO_PROXY to connect directly",
  ),
  'proxy-auth-required': advise(
    "put the user name and password before the host in the proxy's URL: user:password@host:port",
  ),
  'proxy-refused': advise(
    'many proxies allow port 443 only: make the server reachable there, with wss://, or have its address allowed',
  ),
  'proxy-failed': advise('check that the server is running, and that the proxy can reach it at this address'),
  'proxy-unusable': advise("correct the proxy's address, or its type: http://, https:// or socks5://"),

  // ── found by `tunnel doctor` only ──
  'public-port-unreachable': advise(
    "open the public ports (--min-port to --max-port) in the server's firewall, and try from another network: some do not route back to their own address",
  ),
  'public-way-failed': advise(
    'check that the public address leads to this server, and that nothing else answers there',
  ),
  'clock-wrong': advise(SET_CLOCK),

  // ── identity ──
  'secret-refused': advise(SECRET_OF_SERVER),
  'key-refused': advise("have this client's public key added to the server's authorized keys"),
  'server-key-changed': advise(
    'if the server was really set up again, remove the pin file named above and start this client again, or give the new key with --server-key',
  ),
  'version-unsupported': advise('install the same version on both sides'),

  // ── what was requested ──
  'port-not-allowed': advise(
    'ask for a port that it allows, or leave out --port; the server decides by --min-port, --max-port and authorized keys',
  ),
  'port-in-use': advise('ask for another port, or leave out --port to get a free one'),
  'port-unavailable': advise(
    'fix the cause at the server; if no port is free, widen the range there (--min-port, --max-port)',
  ),
  'host-not-allowed': advise(
    'ask for a name that it allows, or leave out --host; the server decides by --domain, --allow-hosts and authorized keys',
  ),
  'host-in-use': advise('ask for another name, or leave out --host to get one of your own'),
  'host-unavailable': advise('fix the cause at the server'),
  'tunnel-limit': advise('ask for fewer; the server has a limit for each session, and may have one for this key'),
  'terms-refused': advise("upgrade the server to this client's version, or leave out what it does not support"),

  // ── the server's state and sessions ──
  'at-capacity': noNeed('nothing to do: the client keeps trying until the server has room'),
  'stale-link': noNeed('nothing to do: the newer link carries on'),
  'session-unknown': noNeed('nothing to do: a new session follows'),
  'session-expired': noNeed('nothing to do: a new session follows'),
  'session-taken-over': advise('run only one client with --port for each port'),

  // ── how a link ends ──
  'heartbeat-timeout': advise(
    'if it does not come back, check that the other machine is up and both are online; if this happens often, `tunnel doctor --long` looks for what cuts links',
  ),
  'link-closed': advise("check the server's log"),
  'link-reset': advise('if it does not come back, check that the server is running and both machines are online'),
  'link-replaced': noNeed(),
  'record-unreadable': advise('something between here and the server changes the traffic: bypass it, or use wss://'),
  'protocol-error': advise('install the same version on both sides; if they are the same, please report it'),

  // ── server ──
  'listen-in-use': advise('stop what listens there, or choose another port (--port, --http, --https)'),
  'listen-denied': advise('use a port from 1024 on (--port, --http, --https): lower ones need privileges'),
  'listen-failed': advise('give --host an address of this machine, or leave it out'),

  // ── why a stream was reset ──
  'certificate-unfit': advise(
    'give a wildcard certificate for the names below the domain with --tls-cert and --tls-key, or --acme EMAIL',
  ),
  'certificate-failed': advise(
    "see what the authority says: the name's DNS record has to lead to this server, and port 80 (--http) or 443 (--https) has to be open from everywhere",
  ),
  'certificate-limit': advise(
    'wait, or give a wildcard certificate with --tls-cert and --tls-key; --acme-limit changes how many there are in a week',
  ),
  'stream-reset': noNeed(),
  'service-unavailable': advise('start the service, or correct the target of the tunnel'),
  'target-loop': advise('give the service itself as the target, not its public address'),
  'host-refused': advise(
    "start the tunnel with --host-header local, or add the public name to the service's allowed hosts",
  ),
  'handler-failed': advise('fix the function; only this visitor was reset'),
  'stream-idle': noNeed(),
  'stream-limit': noNeed('nothing to do: there is room again as other connections end'),
  'visitor-denied': advise('add it to --allow, or remove it from --deny'),
  'proxy-header-unusable': advise(
    "have the load balancer send one (haproxy: send-proxy), or remove its network from the server's --accept-proxy-protocol",
  ),
  'visitor-limit': advise('raise --max-connections'),
  'stream-unexpected': noNeed(),
  'session-lost': noNeed(),
  'tunnel-closed': noNeed(),

  // ── ends ──
  stopped: noNeed(),
  'server-stopped': noNeed('nothing to do: the client connects again once the server is back'),
  internal: advise('please report it with the log'),
};

type SpecialAdvice = {
  readonly [Id in SpecialHint['id']]: (hint: Extract<SpecialHint, { readonly id: Id }>) => Advice;
};

/** What helps if more is known than the code. */
export const SPECIAL_ADVICE: SpecialAdvice = {
  // ── files ──
  utf16: () => advise('save it as UTF-8; in PowerShell with Out-File -Encoding ascii'),
  'identity-damaged': () =>
    advise('restore it from a backup; if it is removed, a new key is made, which the other sides do not know'),
  'identity-key-not-alone': () => advise('leave nothing but the key on its line'),
  'secret-damaged': () =>
    advise('restore it from a backup; if it is removed, a new secret is made, which every client has to be given'),
  'pin-damaged': () =>
    advise(
      'restore it from a backup, or give the key with --server-key; if it is removed, the next server that knows the secret is trusted',
    ),
  'keys-unreadable': () => advise('give a file that can be read'),
  'disk-full': () => advise(`free some space there, or ${ANOTHER_STATE_DIRECTORY}`),
  'file-size-limit': () => advise('raise the file size limit (ulimit -f)'),
  'path-taken': () => advise(`move away what is in its place, or ${ANOTHER_STATE_DIRECTORY}`),
  'read-only': () => advise('give a directory on another file system with --state-dir'),
  'open-files-limit': () => advise('raise the limit of open files (ulimit -n, or LimitNOFILE= in a systemd unit)'),
  'lock-holder-out-of-sight': ({ path }) =>
    advise(`${ANOTHER_SERVER_RUNS}; if you are sure that it has ended, remove ${path}`),

  // ── addresses ──
  'server-address-forms': () =>
    advise('give the server as host, host:port, [v6]:port, ws://host:port/path or wss://host/path'),
  'proxy-address-forms': () =>
    advise(
      'give the proxy as http://host:port, https://host:port, socks5://host:port or socks5h://host:port, with user:password@ before the host if it requires them',
    ),
  'target-forms': () => advise('give a port, host:port, unix:/path, or a function or server of this process'),

  // ── the steps of an attempt ──
  'name-server-silent': () => advise('check that this machine is online and its name server answers'),
  'outgoing-firewall': () => advise("allow outgoing connections to that port in this machine's firewall"),
  'certificate-issuer-unknown': () =>
    advise("give the issuer's certificate with --ca FILE, or have the server send its whole chain"),
  'certificate-self-signed': () => advise("give the certificate with --ca FILE if it is the server's"),
  'certificate-expired': () =>
    advise("renew the server's certificate; if it is a new one, set this machine's clock (`date` shows it)"),
  'certificate-for-another-name': () =>
    advise("use the certificate's name for the server in --to, or get the server a certificate for this name"),
  'tls-not-spoken': () => advise('use ws:// if the server has no TLS'),
  redirected: () => advise('redirects are not followed: give the address it points to, as wss://host/path'),
  'access-denied': () =>
    advise('allow this client in what stands in front of the tunnel server, or correct the address'),
  'path-unknown': () =>
    advise('correct the path of the address, or have the reverse proxy pass it to the tunnel server'),
  'server-behind-proxy-down': () => advise('check that the tunnel server behind it is running and not overloaded'),
  'proxy-credentials-wrong': () => advise(CORRECT_CREDENTIALS),
  'proxy-scheme-unsupported': () =>
    advise(
      'only Basic is supported: ask for a way without credentials, or run a local proxy that speaks the other scheme',
    ),

  // ── identity ──
  'secret-not-given': () => advise(GIVE_SECRET),
  'secret-suspicious': ({ oddity }) => advise(`${doubt(oddity)}${SECRET_OF_SERVER}`),
  'key-not-listed': ({ publicKey }) =>
    advise(`ask the server's admin to add this line to its authorized keys: ${publicKey}`),
  'key-and-secret-refused': ({ publicKey, oddity }) =>
    advise(
      `${doubt(oddity)}check the secret; or leave it out if the server admits this client by its key: its admin then adds this line to the authorized keys: ${publicKey}`,
    ),
  'server-key-not-as-given': ({ source = 'the server key' }) =>
    advise(
      `a server prints its key when it starts on a terminal: correct ${source} if it differs, else another server answers at this address`,
    ),

  // ── tunnels ──
  'port-awaited': () =>
    advise('the client waits for it to keep the public address; start this client again to get another one'),
};

function doubt(oddity: string | undefined): string {
  return oddity === undefined ? '' : `the secret given here ${oddity}: remove that if it is not part of it; or `;
}
