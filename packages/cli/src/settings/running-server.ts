import { stat } from 'node:fs/promises';
import type { ServerAddress } from '@tunnel/client';
import { TunnelError } from '@tunnel/shared';
import {
  decodeKey,
  encodeKey,
  hostToDial,
  isRunning,
  ownerOf,
  ownProcess,
  readTextFile,
  writeFileAtomic,
} from '@tunnel/shared/node';

/** What a client of the same user on the same machine needs to know about the server here. */
export interface RunningServer {
  readonly address: ServerAddress;
  readonly serverKey: Uint8Array;
  /** The file with the secret; undefined where the server was given its secret in no file. */
  readonly secretFile: string | undefined;
  /** Whether a client whose key is listed gets in without the secret. */
  readonly admitsKeys: boolean;
}

/** Writes where this process listens. `host` is what it listens on; undefined for all addresses. */
export async function writeRunningServer(
  path: string,
  server: {
    readonly secure: boolean;
    readonly host: string | undefined;
    readonly port: number;
    readonly serverKey: Uint8Array;
    readonly secretFile: string | undefined;
    readonly admitsKeys: boolean;
  },
): Promise<void> {
  const content = {
    secure: server.secure,
    host: dialHost(server.host),
    port: server.port,
    serverKey: encodeKey(server.serverKey),
    secretFile: server.secretFile,
    admitsKeys: server.admitsKeys,
    ...(await ownProcess()),
  };
  await writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
}

/** The server that runs on this machine with this state directory. Throws `server-not-found` where none does. */
export async function readRunningServer(path: string): Promise<RunningServer> {
  const text = await readTextFile(path);
  if (text === undefined) throw new TunnelError('server-not-found');
  const { secure, host, port, serverKey, secretFile, admitsKeys, pid, started } = parseObject(text);
  const isWhole =
    typeof host === 'string' && typeof port === 'number' && typeof serverKey === 'string' && typeof pid === 'number';
  // A damaged file is as good as none: the next start of the server writes it anew.
  if (!isWhole) throw new TunnelError('server-not-found', { detail: `${path} is damaged` });
  if (!(await isRunning({ pid, started: typeof started === 'string' ? started : undefined }))) {
    throw new TunnelError('server-not-found', { detail: 'the last one has ended' });
  }
  return {
    address: { secure: secure === true, host, port, path: '/' },
    serverKey: decodeKey(serverKey, `the server key in ${path}`),
    secretFile: typeof secretFile === 'string' && (await mayName(path, secretFile)) ? secretFile : undefined,
    admitsKeys: admitsKeys === true,
  };
}

/**
 * Whether this file may have root, who reads it for another user, read that one: only what its writer owns, too. Else that
 * user would choose a file, and learn by its own server what is in it.
 */
async function mayName(path: string, secretFile: string): Promise<boolean> {
  const [by, of] = await Promise.all([path, secretFile].map((file) => stat(file).catch(() => undefined)));
  if (!by || !of) return true;
  return by.uid === of.uid || (await ownerOf(by.uid)) !== 'foreign';
}

/** Who listens on all addresses is reached by the name that every machine has for itself. */
function dialHost(host: string | undefined): string {
  return hostToDial(host) ?? 'localhost';
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
