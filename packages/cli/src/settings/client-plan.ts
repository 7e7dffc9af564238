import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  type ClientOptions,
  formatServerAddress,
  type PinStore,
  type PortMemory,
  type ServerAddress,
  type TunnelOptions,
} from '@tunnel/client';
import {
  describeSystemError,
  encodeKey,
  generateIdentity,
  type Identity,
  loadOrCreateIdentity,
  parseIdentity,
  readSecretFile,
  readTextFile,
} from '@tunnel/shared/node';
import type { GivenSecret } from './common-flags.ts';
import { type GivenCredentials, readCredentials } from './credentials.ts';
import { checkPrivateFiles, type Exposure } from './private-files.ts';
import type { LinkSettings, LocalSettings } from './local-settings.ts';
import type { NewKey } from '../output/output.ts';
import type { ChosenProxy, UnusedProxy } from './proxy-choice.ts';
import { readRunningServer, type RunningServer } from './running-server.ts';
import { type Given, unusable } from '../values/given.ts';
import { CommandError } from '../hints/command-error.ts';

/** What this process remembers over its clients. */
export interface ClientStores {
  readonly pins: PinStore;
  readonly ports: PortMemory;
  /** Nothing is written: an identity that is not there is made for this process only. */
  readonly areReadOnly?: boolean;
}

/** A client with all that its settings name read from files. */
export interface ClientPlan {
  readonly options: ClientOptions & { readonly connectTimeoutMs: number };
  /** The server as text. */
  readonly address: string;
  readonly proxy: ChosenProxy | undefined;
  readonly unusedProxy: UnusedProxy | undefined;
  readonly secret: GivenSecret | undefined;
  /** Of an identity that was made just now. */
  readonly newKey: NewKey | undefined;
  /** Its files that other users can get at. */
  readonly exposures: readonly Exposure[];
  /** Other users can read a visitor's password in the list of processes. */
  readonly exposesPassword: boolean;
}

/** Throws `TunnelError`. */
export async function planClient(
  settings: LinkSettings & Pick<LocalSettings, 'tunnels' | 'credentials'>,
  givenSecret: GivenSecret | undefined,
  stores: ClientStores,
  agent: string,
): Promise<ClientPlan> {
  const ca = settings.caFile === undefined ? undefined : await readAuthorities(settings.caFile);
  const { server, findServer, serverKey, secret } = await chooseServer(settings, givenSecret);
  const { state, identityFile } = settings;
  const { credentials, files, areExposed } = await readCredentials(settings.credentials ?? NO_CREDENTIALS);
  const privateFiles = {
    stateDirectory: state.path,
    directories: [dirname(state.client.pins), state.client.pins],
    files: [identityFile, secret?.file, ...files],
  };
  const exposures = stores.areReadOnly === true ? [] : await checkPrivateFiles(privateFiles);
  const identity = await (stores.areReadOnly === true ? readOrMakeIdentity : loadOrCreateIdentity)(identityFile);
  return {
    options: {
      server,
      findServer,
      tunnels: settings.tunnels.map((tunnel) => withCredentials(tunnel, credentials)),
      identity: identity.privateKey,
      secret: secret?.secret,
      serverKey,
      serverKeySource: settings.serverKeySource,
      pins: stores.pins,
      ports: stores.ports,
      reconnect: settings.reconnect,
      maxReconnectDelayMs: settings.maxReconnectDelayMs,
      heartbeat: settings.heartbeat,
      connectTimeoutMs: settings.connectTimeoutMs,
      proxy: settings.proxy?.address,
      ca,
      // Its certificate is for the name that others use; its key was read from its own files.
      verifyCertificate: findServer === undefined,
      agent,
    },
    address: formatServerAddress(server),
    proxy: settings.proxy,
    unusedProxy: settings.unusedProxy,
    secret,
    newKey: identity.created ? { file: settings.identityFile, publicKey: encodeKey(identity.publicKey) } : undefined,
    exposures,
    exposesPassword: areExposed,
  };
}

const NO_CREDENTIALS: GivenCredentials = { given: [], areOnCommandLine: false };

function withCredentials(tunnel: TunnelOptions, basicAuth: readonly string[]): TunnelOptions {
  return tunnel.http === undefined ? tunnel : { ...tunnel, http: { ...tunnel.http, basicAuth } };
}

async function readOrMakeIdentity(path: string): Promise<Identity & { readonly created: boolean }> {
  const text = await readTextFile(path);
  return { ...(text === undefined ? generateIdentity() : parseIdentity(text, path)), created: false };
}

/** Whether one session can do for both: everything but the tunnels, and what is only for people, is the same. */
export function isSameSession(a: ClientPlan, b: ClientPlan): boolean {
  return isDeepStrictEqual(sessionOptions(a), sessionOptions(b));
}

function sessionOptions({ options }: ClientPlan): Partial<ClientOptions> {
  const { tunnels: _tunnels, outlivesTunnels: _outlives, serverKeySource: _source, ...others } = options;
  const { findServer, server, ...rest } = others;
  // Those that find the server of this machine find the same one, wherever it was at first.
  return findServer === undefined ? { ...rest, server } : rest;
}

interface ChosenServer {
  readonly server: ServerAddress;
  readonly serverKey: Uint8Array | undefined;
  readonly secret: GivenSecret | undefined;
  /** Finds it again, perhaps at another port; undefined where it was named. */
  readonly findServer: (() => Promise<ServerAddress>) | undefined;
}

/** The server that was named, else the one on this machine, whose key and secret are then at hand, too. */
async function chooseServer(settings: LinkSettings, givenSecret: GivenSecret | undefined): Promise<ChosenServer> {
  const { server, serverKey, state } = settings;
  if (server !== undefined) return { server, findServer: undefined, serverKey, secret: givenSecret };
  const running = await readRunningServer(state.server.running);
  const secret = givenSecret ?? (await readServerSecret(running));
  let last = running.address;
  const findServer = async (): Promise<ServerAddress> => {
    // Where it is down for now, the attempt fails at its last address.
    last = await readRunningServer(state.server.running).then(
      ({ address }) => address,
      () => last,
    );
    return last;
  };
  return { server: last, findServer, serverKey: serverKey ?? running.serverKey, secret };
}

async function readServerSecret({ secretFile: file, admitsKeys }: RunningServer): Promise<GivenSecret | undefined> {
  if (file === undefined && admitsKeys) return undefined;
  if (file === undefined) {
    throw new CommandError('secret-missing', {
      detail: 'the server on this machine got its secret directly, not from a file',
      hint: 'give the same secret here: --secret-file FILE, --secret SECRET or TUNNEL_SECRET',
    });
  }
  return { secret: await readSecretFile(file, 'the secret of the server on this machine,'), file, isExposed: false };
}

/** Reads a file with certificates of authorities. Throws `usage`. */
export async function readAuthorities(given: Given): Promise<string> {
  let text: string;
  try {
    text = await readFile(given.text, 'utf8');
  } catch (error) {
    throw unusable(given, describeSystemError(error), 'give a readable file with certificates in PEM');
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw unusable(given, 'it contains no certificate', 'give a file with certificates in PEM');
  }
  return text;
}
