// A certificate authority that speaks ACME: Debian's pebble, with name servers that send every name to loopback.
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { certificateFiles, readCertificates } from './certificates.ts';
import { Program, freePort } from './program.ts';
import { type ProxyProgram, startProxyProgram } from './proxy-programs.ts';
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts';

/** A port where the authority looks, which leads to a port of the server under test, or to none. */
interface Door extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly count: number;
  leadTo(port: number | undefined): void;
}

async function openDoor(): Promise<Door> {
  let target: number | undefined;
  let count = 0;
  const server = createServer((near) => {
    count += 1;
    near.on('error', () => near.destroy());
    if (target === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    far.on('error', () => near.destroy());
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get count() {
      return count;
    },
    leadTo: (port) => (target = port),
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

export interface AuthorityOptions {
  /** How long its certificates are good, in seconds. */
  readonly lifeSeconds?: number;
  /** It refuses these names. */
  readonly blocked?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Authority extends AsyncDisposable {
  readonly directoryUrl: string;
  /** Vouches for its own server. */
  readonly caFile: string;
  readonly ca: string;
  /** The root of the certificates that it issues. */
  root(): Promise<string>;
  /** Where it looks for HTTP-01 and TLS-ALPN-01. */
  readonly http: Door;
  readonly tls: Door;
  /** Certificates that it issued so far. */
  readonly issuedCount: number;
  /** Orders that it was asked for so far. */
  readonly orderCount: number;
  /** It forgets its accounts, and has other roots. */
  restart(): Promise<void>;
}

export async function startAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const opened: AsyncDisposable[] = [];
  const own = <Thing extends AsyncDisposable>(thing: Thing): Thing => {
    opened.unshift(thing);
    return thing;
  };
  const close = async (): Promise<void> => {
    for (const each of opened) await each[Symbol.asyncDispose]();
  };
  try {
    const directory = own(await temporaryDirectory());
    const http = own(await openDoor());
    const tls = own(await openDoor());
    const { dnsPort } = own(await startNameServer());
    const managementPort = await freePort();
    const pebble = own(await startPebble(directory, { http, tls, dnsPort, managementPort }, options));
    const ca = readCertificates().get('TEST_AUTHORITY') ?? '';
    const caFile = join(directory.path, 'ca.pem');
    await writeFile(caFile, ca);
    const times = (pattern: RegExp): number => pebble.output.match(pattern)?.length ?? 0;
    return {
      directoryUrl: `https://localhost:${pebble.port}/dir`,
      caFile,
      ca,
      root: () => get(`https://localhost:${managementPort}/roots/0`, ca),
      http,
      tls,
      get issuedCount() {
        return times(/Issued certificate serial/g);
      },
      get orderCount() {
        return times(/Added order/g);
      },
      restart: () => pebble.restart(),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Says 127.0.0.1 for every name. */
async function startNameServer(): Promise<{ readonly dnsPort: number } & AsyncDisposable> {
  const dnsPort = await freePort();
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', ''];
  const program = new Program('pebble-challtestsrv', [
    '-management',
    '127.0.0.1:0',
    '-dns01',
    `127.0.0.1:${dnsPort}`,
    '-defaultIPv4',
    '127.0.0.1',
    '-defaultIPv6',
    '',
    ...off,
  ]);
  await program.waitForOutput(/Starting management server/);
  return { dnsPort, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

interface Surroundings {
  readonly http: Door;
  readonly tls: Door;
  readonly dnsPort: number;
  readonly managementPort: number;
}

function startPebble(
  directory: TemporaryDirectory,
  { http, tls, dnsPort, managementPort }: Surroundings,
  { lifeSeconds = 7_776_000, blocked = [], env = {} }: AuthorityOptions,
): Promise<ProxyProgram> {
  const args = async (port: number): Promise<readonly string[]> => {
    const { certFile, keyFile } = await certificateFiles(directory.path);
    const config = join(directory.path, 'pebble.json');
    const pebble = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: certFile,
      privateKey: keyFile,
      httpPort: http.port,
      tlsPort: tls.port,
      domainBlocklist: blocked,
      certificateValidityPeriod: lifeSeconds,
    };
    await writeFile(config, JSON.stringify({ pebble }));
    return ['-config', config, '-dnsserver', `127.0.0.1:${dnsPort}`];
  };
  return startProxyProgram('pebble', args, { PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0', ...env });
}

async function get(url: string, ca: string): Promise<string> {
  const sent = request(url, { ca, agent: false });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & NodeJS.ReadableStream];
  return text(answer);
}
