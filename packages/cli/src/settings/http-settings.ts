import type { HttpOptions, TunnelOptions } from '@tunnel/client';
import { TERM_LIMIT } from '@tunnel/shared';
import { type Given, unusable } from '../values/given.ts';
import { parseChoice } from '../values/choice.ts';
import { parseHeader, parseHeaderName } from '../values/header.ts';
import { parseHostHeader, parsePublicHost } from '../values/host.ts';
import { parseInspectChoice } from '../values/inspect-choice.ts';
import { type GivenCredentials, parseCredentials } from './credentials.ts';
import type { Environment, Flag, GivenFlags } from './flags.ts';
import {
  LOCAL_FLAGS,
  type LocalSettings,
  readLinkSettings,
  readLocalSettings,
  readServices,
  readSupervision,
} from './local-settings.ts';
import { readVisitorOptions } from './visitor-settings.ts';

/** What the service of an HTTP tunnel speaks. */
const UPSTREAMS = ['http', 'https', 'h2c'] as const;

/** What visitors reach a tunnel by: a port, or a host name. */
export const TUNNEL_TYPES = ['tcp', 'http'] as const;
export type TunnelType = (typeof TUNNEL_TYPES)[number];

/** Flags that only tunnels with a host name have. */
const HOST_FLAGS = {
  host: {
    describe: "name to ask for: one label below the server's domain, or a whole host name",
    default: "made from the tunnel's name and this client's key",
    read: parsePublicHost,
    place: 'target',
  },
  'basic-auth': {
    describe: 'user:password that requests need, or @FILE with one on each line',
    default: 'off',
    isList: true,
    isSensitive: true,
    isPathBehindAt: true,
    read: parseCredentials,
    place: 'tunnel',
  },
  'host-header': {
    describe: 'what the service sees as Host: keep (what visitors use), local (the target) or a name',
    default: 'keep',
    read: parseHostHeader,
    place: 'tunnel',
  },
  upstream: {
    describe: 'what the service speaks: http, https, or h2c (HTTP/2 without TLS, as gRPC has it)',
    default: 'http',
    choices: UPSTREAMS,
    read: (given) => parseChoice(given, UPSTREAMS),
    place: 'tunnel',
  },
  'set-header': {
    describe: "'Name: value': replace a header of requests",
    default: 'none',
    isList: true,
    isSensitive: true,
    read: parseHeader,
    place: 'tunnel',
  },
  'remove-header': {
    describe: 'name of a header to remove from requests',
    default: 'none',
    isList: true,
    read: parseHeaderName,
    place: 'tunnel',
  },
  'set-response-header': {
    describe: "'Name: value': replace a header of answers",
    default: 'none',
    isList: true,
    isSensitive: true,
    read: parseHeader,
    place: 'tunnel',
  },
  inspect: {
    describe: 'show requests and answers on a page of this machine: its port, or off',
    default: 'on a terminal 4040 or the next free port, else off',
    read: parseInspectChoice,
    place: 'process',
  },
} as const satisfies Readonly<Record<string, Flag>>;

/** Flags that only tunnels with a port have. */
const { port: PORT, 'proxy-protocol': PROXY_PROTOCOL, config, to, ...OTHERS } = LOCAL_FLAGS;
const PORT_FLAGS = { port: PORT, 'proxy-protocol': PROXY_PROTOCOL };

/** Those of `tunnel http`. */
export const HTTP_FLAGS = { config, to, ...HOST_FLAGS, ...OTHERS };

/** Those of tunnels of both types. */
export const CLIENT_FLAGS = { ...LOCAL_FLAGS, ...HOST_FLAGS };

export type ClientFlags = GivenFlags<typeof CLIENT_FLAGS>;

/** The flags that a tunnel of the other type has, and this one does not. */
export const FLAGS_OF_OTHER_TYPE: Readonly<Record<TunnelType, readonly string[]>> = {
  tcp: Object.keys(HOST_FLAGS),
  http: Object.keys(PORT_FLAGS),
};

/** As `readLocalSettings`, for tunnels of either type. */
export function readTunnelSettings(
  type: TunnelType,
  targets: readonly Given[],
  flags: ClientFlags,
  environment: Environment,
): LocalSettings {
  if (type === 'tcp') return readLocalSettings(targets, flags, environment);
  return {
    tunnels: readHttpTunnels(targets, flags),
    credentials: readGivenCredentials(flags),
    ...readLinkSettings(flags, environment),
    ...readSupervision(flags),
  };
}

function readGivenCredentials(flags: ClientFlags): GivenCredentials {
  const given = flags.all('basic-auth');
  for (const each of given) parseCredentials(each);
  return { given, areOnCommandLine: flags.onCommandLine('basic-auth') !== undefined };
}

/** Without the credentials, which may be in files. */
function readHttpTunnels(targets: readonly Given[], flags: ClientFlags): readonly TunnelOptions[] {
  const services = readServices('http', targets, flags);
  const host = flags.get('host');
  if (host !== undefined && services.length > 1) {
    throw unusable(
      host,
      `one name cannot lead to ${services.length} targets`,
      'run `tunnel http` once for each name, or give each its `host` in the configuration file',
    );
  }
  const http = readHttpOptions(flags);
  const { proxyProtocol: _proxyProtocol, ...visitors } = readVisitorOptions(flags, requireTerms(flags));
  return services.map((service) => ({ ...service, ...visitors, http }));
}

function readHttpOptions(flags: ClientFlags): HttpOptions {
  return {
    host: flags.read('host'),
    hostHeader: flags.read('host-header'),
    upstream: flags.read('upstream'),
    setHeaders: flags.all('set-header').map(parseHeader),
    removeHeaders: flags.all('remove-header').map(parseHeaderName),
    setResponseHeaders: flags.all('set-response-header').map(parseHeader),
  };
}

/** How many terms these options make. */
function requireTerms(flags: ClientFlags): number {
  const names = [
    'basic-auth',
    'host-header',
    'upstream',
    'set-header',
    'remove-header',
    'set-response-header',
  ] as const;
  const given = names.flatMap((name) => flags.all(name));
  const surplus = given[TERM_LIMIT];
  if (surplus !== undefined) {
    throw unusable(
      { ...surplus, text: '…' },
      `a tunnel has at most ${TERM_LIMIT} such options`,
      'leave some of them out',
    );
  }
  return given.length;
}
