import type { Flag, GivenFlags } from './flags.ts';
import { parseCount } from '../values/count.ts';
import { parseDirectoryUrl, parseEmail } from '../values/acme.ts';
import { type Given, unusable } from '../values/given.ts';
import { parseDomainName, parseHostPatterns } from '../values/host.ts';
import { type ListenAddress, parseListenAddress } from '../values/listen-address.ts';

const ALL_ADDRESSES: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Flags about HTTP tunnels of a server: the names that they may have, and where their visitors come in. */
export const FRONT_DOOR_FLAGS = {
  domain: {
    describe: 'domain of the names that HTTP tunnels get',
    variable: 'TUNNEL_DOMAIN',
    default: 'localhost; with --public-host none',
    read: parseDomainName,
  },
  'allow-hosts': {
    describe: 'further host names that HTTP tunnels may have, as in www.example.org,*.example.net',
    default: 'only names below the domain',
    isList: true,
    read: parseHostPatterns,
  },
  http: {
    describe: 'further port for visitors of HTTP tunnels and for clients: a port or host:port',
    default: 'off',
    read: parseListenAddress,
  },
  https: {
    describe: 'as --http, with TLS; needs a certificate or --acme',
    default: 'off',
    read: parseListenAddress,
  },
  acme: {
    describe:
      'get certificates by itself: e-mail address for the account at the authority, whose terms of service that agrees to',
    default: 'off',
    read: parseEmail,
  },
  'acme-directory': {
    describe: "URL of the authority's ACME directory",
    default: "Let's Encrypt's",
    read: parseDirectoryUrl,
  },
  'acme-ca': {
    describe: "file with CA certificates for the authority's own server, in PEM",
    default: "Node's",
    isPath: true,
  },
  'acme-limit': {
    describe: 'certificates for new names of tunnels within a week',
    default: '40',
    read: parseCount,
  },
  'no-redirect': {
    describe: 'keep visitors on --http also where a name has a certificate',
    isSwitch: true,
  },
} as const satisfies Readonly<Record<string, Flag>>;

type FrontDoorFlags = GivenFlags<typeof FRONT_DOOR_FLAGS>;

export interface FrontDoorSettings {
  /** Undefined: the server's default. */
  readonly domain: string | undefined;
  readonly allowHosts: readonly string[];
  /** Undefined: off. */
  readonly http: ListenAddress | undefined;
  readonly https: ListenAddress | undefined;
  /** Undefined: certificates only from files. */
  readonly acme: AcmeGiven | undefined;
  readonly redirect: boolean;
}

/** How certificates are got from an authority. */
export interface AcmeGiven {
  readonly email: string;
  readonly directoryUrl: string | undefined;
  /** As it was given. */
  readonly caFile: Given | undefined;
  readonly weeklyLimit: number | undefined;
}

/** Other settings of the server that these have to fit. */
export interface FrontDoorSurroundings {
  readonly control: ListenAddress;
  readonly publicHost: string | undefined;
  readonly hasCertificate: boolean;
}

/** Throws `usage` errors that name the flag and the value. */
export function readFrontDoorSettings(flags: FrontDoorFlags, surroundings: FrontDoorSurroundings): FrontDoorSettings {
  const domain = flags.read('domain');
  return {
    domain,
    allowHosts: readAllowHosts(flags, ['localhost', domain, surroundings.publicHost]),
    ...readPorts(flags, surroundings),
    acme: readAcme(flags, [domain, surroundings.publicHost]),
    redirect: !flags.has('no-redirect'),
  };
}

function readAcme(flags: FrontDoorFlags, own: readonly (string | undefined)[]): AcmeGiven | undefined {
  const given = flags.get('acme');
  const email = flags.read('acme');
  if (given === undefined || email === undefined) {
    const alone = flags.get('acme-directory') ?? flags.get('acme-ca') ?? flags.get('acme-limit');
    if (alone === undefined) return undefined;
    throw unusable(alone, 'certificates are not got from an authority', 'give --acme EMAIL as well');
  }
  if (flags.get('https') === undefined) {
    throw unusable(given, 'nothing would use the certificates', 'give --https 443 as well');
  }
  const names = own.filter((name) => name?.includes('.') && !name.endsWith('.localhost'));
  if (names.length === 0 && flags.get('allow-hosts') === undefined) {
    const hint = 'give --domain with a name whose DNS record, and a wildcard record below it, lead to this server';
    throw unusable(given, 'there is no name for which an authority would issue a certificate', hint);
  }
  return {
    email,
    directoryUrl: flags.read('acme-directory'),
    caFile: flags.get('acme-ca'),
    weeklyLimit: flags.read('acme-limit'),
  };
}

/** A name under which clients look for the server itself is for no tunnel. */
function readAllowHosts(flags: FrontDoorFlags, own: readonly (string | undefined)[]): readonly string[] {
  return flags.all('allow-hosts').flatMap((given) => {
    const patterns = FRONT_DOOR_FLAGS['allow-hosts'].read(given);
    const refused = patterns.find((pattern) => own.includes(pattern));
    if (refused === undefined) return patterns;
    throw unusable({ text: refused, source: given.source }, "the server's own name is for no tunnel", 'leave it out');
  });
}

function readPorts(
  flags: FrontDoorFlags,
  { control, hasCertificate }: FrontDoorSurroundings,
): Pick<FrontDoorSettings, 'http' | 'https'> {
  const [http, https] = [flags.read('http'), flags.read('https')];
  const secure = flags.get('https');
  if (secure !== undefined && !hasCertificate && flags.get('acme') === undefined) {
    throw unusable(secure, 'there is no certificate for it', 'give --acme EMAIL, or --tls-cert and --tls-key as well');
  }
  const controlHint = 'it takes visitors too: leave the flag out, or give another port';
  const taken = [{ ...control, name: 'the control port', hint: controlHint }];
  for (const [name, address] of [
    ['http', http],
    ['https', https],
  ] as const) {
    const given = flags.get(name);
    if (address === undefined || given === undefined) continue;
    const { host = control.host, port } = address;
    const other = taken.find((earlier) => overlap(earlier, { host, port }));
    if (other !== undefined) throw unusable(given, `${other.name} listens there`, other.hint);
    taken.push({ host, port, name: `--${name}`, hint: 'give another port' });
  }
  return { http, https };
}

function overlap(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || [a.host, b.host].some((host) => host === undefined || ALL_ADDRESSES.has(host));
}
