import { BlockList, isIP } from 'node:net';
import { parseProxyAddress, type ProxyAddress, type ServerAddress } from '@tunnel/client';
import { type ErrorCode, kindOf, TunnelError } from '@tunnel/shared';
import { type Advice, advise } from '../hints/advice.ts';
import type { Environment } from './flags.ts';
import type { Given } from '../values/given.ts';
import { isIn, isLoopback } from '../values/loopback.ts';

/** A proxy that the user named. */
export interface ChosenProxy {
  readonly address: ProxyAddress;
  /** Who named it: `--proxy`, a variable, a key of the configuration file. */
  readonly source: string;
  /** It has a password that other users can read in the list of processes. */
  readonly isExposed: boolean;
}

/** What was given as `--proxy`, and as `proxy` in the configuration file. */
export interface GivenProxies {
  readonly onCommandLine: Given | undefined;
  readonly inFile: Given | undefined;
}

/**
 * The proxy for a server: --proxy, else what the environment names for the server's scheme, as other programs read it, else
 * that of the configuration file. The environment's never counts for this machine itself. Throws `usage`.
 */
export function chooseProxy(
  { onCommandLine, inFile }: GivenProxies,
  environment: Environment,
  server: ServerAddress | undefined,
): ChosenProxy | undefined {
  const given = onCommandLine ?? (server && proxyFromEnvironment(environment, server)) ?? inFile;
  if (given === undefined) return undefined;
  const address = readProxy(given);
  return { address, source: given.source, isExposed: given === onCommandLine && address.credentials !== undefined };
}

/** Throws `usage`, without user and password. */
export function readProxy(given: Given): ProxyAddress {
  try {
    return parseProxyAddress(given.text);
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== 'usage') throw error;
    throw new TunnelError('usage', { detail: `${given.source} ${error.detail}`, hint: error.hint, cause: error });
  }
}

function proxyFromEnvironment(environment: Environment, server: ServerAddress): Given | undefined {
  if (isLoopback(server.host) || isExcepted(variable(environment, 'no_proxy')?.text ?? '', server)) return undefined;
  return variable(environment, server.secure ? 'https_proxy' : 'http_proxy') ?? variable(environment, 'all_proxy');
}

/** A proxy of the environment that is for the other kind of address, so that the way to this server is the direct one. */
export interface UnusedProxy {
  /** The variable. */
  readonly source: string;
  /** What it is for, for people. */
  readonly reason: string;
  /** What to do where the direct way leads nowhere. */
  readonly advice: string;
}

/** Undefined where the environment has a proxy for this server, or none at all, or the server is to be reached without. */
export function unusedProxy(environment: Environment, server: ServerAddress | undefined): UnusedProxy | undefined {
  if (server === undefined || isLoopback(server.host)) return undefined;
  if (proxyFromEnvironment(environment, server) !== undefined) return undefined;
  if (isExcepted(variable(environment, 'no_proxy')?.text ?? '', server)) return undefined;
  const source = variable(environment, server.secure ? 'http_proxy' : 'https_proxy')?.source;
  if (source === undefined) return undefined;
  const { host, secure } = server;
  const reason = `${source} is set, but that is for ${secure ? 'ws' : 'wss'}:// only`;
  const other = secure ? 'set HTTPS_PROXY' : 'use wss:// if the server has TLS';
  return {
    source,
    reason,
    advice: `${reason}: ${other}, or give the proxy with --proxy; to connect directly, list ${host} in NO_PROXY`,
  };
}

/** The advice for a failure, and for the proxy if its absence may be the cause. */
export function adviceWithProxy(unused: UnusedProxy | undefined, code: ErrorCode, advice: Advice): Advice {
  if (unused === undefined || kindOf(code).beforeAnyAnswer !== true) return advice;
  return advise(`${advice.text}; ${unused.advice}`);
}

/** Why there is no proxy for a server, for people. */
export function whyDirect(environment: Environment, server: ServerAddress): string {
  if (isLoopback(server.host)) return 'a proxy of the environment is never used for this machine itself';
  const unused = unusedProxy(environment, server);
  if (unused !== undefined) return unused.reason;
  const exceptions = variable(environment, 'no_proxy');
  if (isExcepted(exceptions?.text ?? '', server)) return `${exceptions?.source} has ${server.host}`;
  return `neither --proxy, ${server.secure ? 'HTTPS_PROXY' : 'HTTP_PROXY'} or ALL_PROXY nor the configuration file names one`;
}

/** Lower case goes first, as with curl. One that is set to nothing counts as not set. */
function variable(environment: Environment, name: string): Given | undefined {
  for (const source of [name, name.toUpperCase()]) {
    const text = environment[source];
    if (text !== undefined && text !== '') return { text, source };
  }
  return undefined;
}

/** NO_PROXY: names with all below them, addresses, networks as 10.0.0.0/8, each with or without a port; or an asterisk. */
function isExcepted(noProxy: string, { host, port }: ServerAddress): boolean {
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && matches(entry, host.replace(/\.$/, ''), port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  const [, network, prefix] = /^\[?([\d.]+|[\da-f:.]*:[\da-f:.]*)\]?\/(\d+)$/.exec(entry) ?? [];
  if (network !== undefined) return isInNetwork(host, network, Number(prefix));
  if (isIP(entry) !== 0) return entry === host;
  const [, name = '', entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== undefined && Number(entryPort) !== port) return false;
  const bare = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*?\./, '');
  return bare !== '' && (host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`)));
}

function isInNetwork(host: string, network: string, prefix: number): boolean {
  const family = isIP(network);
  if (family === 0 || prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return isIn(list, host);
}
