import { fileURLToPath } from 'node:url';
import { startTunnel, type TunnelProcess } from '@tunnel/test/support/command';
import { TEST_SECRET } from '@tunnel/test/support/pair';
import { findProgram, freePort, startOnFreePort } from '@tunnel/test/support/program';
import { startSshServer } from '@tunnel/test/support/ssh-server';
import { LoadProcess } from './load/load-process.ts';
import type { BareRelayCalls } from './load/processes/bare-relay.ts';
import type { PathName, Settings } from './scenario.ts';

/** Beside the benchmark's own bundle, not beside this source. */
const program = fileURLToPath(new URL('../../packages/cli/dist/tunnel.js', import.meta.url));

const SSH_CIPHER = 'aes128-gcm@openssh.com';

/** At least one. */
type Ports = readonly [number, ...number[]];

/** A way to the services. */
interface Path extends AsyncDisposable {
  readonly name: PathName;
  /** Where visitors connect, in the services' order. */
  readonly ports: Ports;
  /** The processes in between. */
  readonly pids: readonly number[];
}

interface TunnelPath extends Path {
  readonly name: 'tunnel';
  readonly serverPid: number;
  readonly clientPid: number;
}

/** Where to connect to instead of a port, to get to it. */
type Detour = (port: number) => Promise<number>;

const straight: Detour = (port) => Promise.resolve(port);

/** The ways that are compared, and how to end them. */
interface Paths extends AsyncDisposable {
  readonly all: readonly Path[];
  readonly tunnel: TunnelPath;
}

/** Opens all ways; those that only compare, and ssh where it is installed, if they are asked for. */
export async function openPaths(
  servicePorts: Ports,
  { withOthers }: Settings,
  detour: Detour = straight,
): Promise<Paths> {
  const all: Path[] = [];
  const close = async (): Promise<void> => {
    for (const path of all.toReversed()) await path[Symbol.asyncDispose]();
  };
  try {
    all.push(await directPath(servicePorts, detour));
    const tunnel = await tunnelPath(servicePorts, detour);
    all.push(tunnel);
    if (withOthers) {
      all.push(await barePath(servicePorts, detour));
      if (hasSsh()) all.push(await sshPath(servicePorts, detour));
    }
    return { all, tunnel, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether OpenSSH's client and server are installed. */
export function hasSsh(): boolean {
  return findProgram('ssh') !== undefined && findProgram('sshd') !== undefined;
}

/** Visitors connect to the services themselves. */
async function directPath(servicePorts: Ports, detour: Detour): Promise<Path> {
  const ports = (await Promise.all(servicePorts.map(detour))) as unknown as Ports;
  return { name: 'direct', ports, pids: [], [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** `tunnel server` and `tunnel local` on loopback, in processes of their own. */
export async function tunnelPath(servicePorts: Ports, detour: Detour = straight): Promise<TunnelPath> {
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
    const ports = (tunnels as { readonly port: number }[]).map(({ port }) => port) as unknown as Ports;
    return {
      name: 'tunnel',
      ports,
      serverPid: server.pid,
      clientPid: pidOf(client),
      pids: [pidOf(client), server.pid],
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Two Node processes that forward bytes and do nothing else, where the tunnel has its server and its client. */
async function barePath(servicePorts: Ports, detour: Detour): Promise<Path> {
  const client = new LoadProcess<BareRelayCalls>('bare-relay');
  const server = new LoadProcess<BareRelayCalls>('bare-relay');
  const ports = await Promise.all(
    servicePorts.map(async (servicePort) => {
      const clientPort = await client.call('open', { targetPort: servicePort });
      return server.call('open', { targetPort: await detour(clientPort) });
    }),
  );
  return {
    name: 'bare',
    ports: ports as unknown as Ports,
    pids: [client.pid, server.pid],
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}

/** `ssh -R` to an sshd of its own. */
async function sshPath(servicePorts: Ports, detour: Detour): Promise<Path> {
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
      pids: [],
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
export function startClient(serverPort: number, servicePorts: Ports, home?: string): Promise<TunnelProcess> {
  const targets = servicePorts.map((port) => `127.0.0.1:${port}`);
  return start(['local', ...targets, '--to', `127.0.0.1:${serverPort}`], home);
}

/** `tunnel http` under a host name of its own: nothing looks at its requests. */
export async function startHttpClient(serverPort: number, servicePort: number, host: string): Promise<TunnelProcess> {
  const args = ['http', `127.0.0.1:${servicePort}`, '--to', `127.0.0.1:${serverPort}`, '--host', host];
  const env = { TUNNEL_SECRET: TEST_SECRET };
  const client = startTunnel([...args, '--log-level', 'error'], { program, env });
  await (await client).waitForStdout(/^http:/m);
  return client;
}

function start(args: readonly string[], home?: string): Promise<TunnelProcess> {
  return startTunnel([...args, '--output', 'json', '--log-level', 'error'], {
    program,
    env: { TUNNEL_SECRET: TEST_SECRET },
    ...(home !== undefined && { home }),
  });
}

export function pidOf({ pid }: TunnelProcess): number {
  if (pid === undefined) throw new Error('a process that could not be started');
  return pid;
}
