import { fileURLToPath } from 'node:url';
import { startTunnel, type TunnelProcess } from '@tunnel/test/support/command';
import { TEST_SECRET } from '@tunnel/test/support/pair';
import { findProgram, freePort, startOnFreePort } from '@tunnel/test/support/program';
import { startSshServer } from '@tunnel/test/support/ssh-server';
import type { PathName } from './scenario.ts';

/** Beside the benchmark's own bundle, not beside this source. */
const program = fileURLToPath(new URL('../../packages/cli/dist/tunnel.js', import.meta.url));

const SSH_CIPHER = 'aes128-gcm@openssh.com';

/** A way to the services. */
export interface Path extends AsyncDisposable {
  readonly name: PathName;
  /** Where visitors connect, in the services' order. */
  readonly ports: readonly number[];
}

export interface TunnelPath extends Path {
  readonly name: 'tunnel';
  readonly serverPid: number;
  readonly clientPid: number;
}

/** Where to connect to instead of a port, to get to it. */
export type Detour = (port: number) => Promise<number>;

const straight: Detour = (port) => Promise.resolve(port);

/** Visitors connect to the services themselves. */
export async function directPath(servicePorts: readonly number[], detour: Detour = straight): Promise<Path> {
  const ports = await Promise.all(servicePorts.map(detour));
  return { name: 'direct', ports, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** `tunnel server` and `tunnel local` on loopback, in processes of their own. */
export async function tunnelPath(servicePorts: readonly number[], detour: Detour = straight): Promise<TunnelPath> {
  const server = await startServer();
  let client: TunnelProcess | undefined;
  const stop = async (): Promise<void> => {
    // The client first: it would start to reconnect.
    await client?.[Symbol.asyncDispose]();
    await server.process[Symbol.asyncDispose]();
  };
  try {
    client = await startClient(await detour(server.port), servicePorts);
    const { tunnels } = await client.waitForEvent('ready');
    const ports = (tunnels as { readonly port: number }[]).map(({ port }) => port);
    return {
      name: 'tunnel',
      ports,
      serverPid: server.pid,
      clientPid: pidOf(client),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `ssh -R` to an sshd of its own; undefined where OpenSSH is not installed. */
export async function sshPath(servicePorts: readonly number[], detour: Detour = straight): Promise<Path | undefined> {
  if (findProgram('ssh') === undefined || findProgram('sshd') === undefined) return undefined;
  const server = await startSshServer();
  try {
    const through = await detour(server.port);
    const otherPorts = await Promise.all(servicePorts.slice(1).map(() => freePort()));
    // By the time that the remote command runs, the ports listen. The shell is there for as long as stdin is.
    const { program: client, port } = await startOnFreePort(
      'ssh',
      (port) => [
        ...server.clientOptions,
        '-p',
        String(through),
        '-c',
        SSH_CIPHER,
        '-o',
        'ExitOnForwardFailure=yes',
        ...[port, ...otherPorts].flatMap((port, index) => ['-R', `127.0.0.1:${port}:127.0.0.1:${servicePorts[index]}`]),
        server.destination,
        'echo listening; exec cat',
      ],
      () => /listening/,
    );
    return {
      name: 'ssh',
      ports: [port, ...otherPorts],
      [Symbol.asyncDispose]: async () => {
        await client[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** `tunnel server` on a free loopback port. */
export async function startServer(
  args: readonly string[] = [],
): Promise<{ readonly process: TunnelProcess; readonly pid: number; readonly port: number }> {
  const process = await start(['server', '--host', '127.0.0.1', '--port', '0', ...args]);
  try {
    const { port } = await process.waitForEvent('listening');
    return { process, pid: pidOf(process), port: Number(port) };
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}

/** `tunnel local`, just started, with its state in `home` (default: one of its own). */
export function startClient(
  serverPort: number,
  servicePorts: readonly number[],
  home?: string,
): Promise<TunnelProcess> {
  const targets = servicePorts.map((port) => `127.0.0.1:${port}`);
  return start(['local', ...targets, '--to', `127.0.0.1:${serverPort}`], home);
}

function start(args: readonly string[], home?: string): Promise<TunnelProcess> {
  return startTunnel([...args, '--output', 'json', '--log-level', 'error'], {
    program,
    env: { TUNNEL_SECRET: TEST_SECRET },
    ...(home !== undefined && { home }),
  });
}

function pidOf({ pid }: TunnelProcess): number {
  if (pid === undefined) throw new Error('a process that could not be started');
  return pid;
}
