import { startTunnel, type TunnelOptions, type TunnelProcess } from './command.ts';
import { TEST_SECRET } from './pair.ts';

/** The command as a server and as a client of it, with one tunnel to a local service. */
export interface TunnelProcesses extends AsyncDisposable {
  readonly server: TunnelProcess;
  readonly client: TunnelProcess;
  /** The public port. */
  readonly port: number;
}

/** A `tunnel server` on loopback that listens. */
export async function startServerProcess(
  args: readonly string[] = [],
  options: TunnelOptions = {},
): Promise<{ readonly server: TunnelProcess; readonly port: number }> {
  const server = await start(['server', '--host', '127.0.0.1', ...args], options);
  try {
    const { port } = await server.waitForEvent('listening');
    return { server, port: Number(port) };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A `tunnel local` that was just started. */
export function startClientProcess(
  serverPort: number,
  targetPort: number,
  args: readonly string[] = [],
  options: TunnelOptions = {},
): Promise<TunnelProcess> {
  return start(['local', `127.0.0.1:${targetPort}`, '--to', `127.0.0.1:${serverPort}`, ...args], options);
}

/** A `tunnel http` that has its address. */
export interface HttpTunnelProcess extends AsyncDisposable {
  readonly client: TunnelProcess;
  /** Where visitors find it, as the command says. */
  readonly url: string;
}

export async function startHttpProcess(
  serverPort: number,
  targetPort: number,
  args: readonly string[] = [],
): Promise<HttpTunnelProcess> {
  const client = await start(['http', `127.0.0.1:${targetPort}`, '--to', `127.0.0.1:${serverPort}`, ...args], {});
  const stop = (): Promise<void> => client[Symbol.asyncDispose]();
  try {
    const { tunnels } = await client.waitForEvent('ready');
    const [{ url } = { url: '' }] = tunnels as { readonly url: string }[];
    return { client, url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first public port that a `ready` tells. */
export function publicPortOf({ tunnels }: { readonly [field: string]: unknown }): number {
  const [tunnel] = tunnels as { readonly port: number }[];
  if (tunnel === undefined) throw new Error('a tunnel was asked for, and none is there');
  return tunnel.port;
}

/** Starts both on loopback, with homes of their own and the same `args`, and waits until the tunnel is open. */
export async function startTunnelProcesses(
  targetPort: number,
  args: readonly string[] = [],
  clientArgs: readonly string[] = [],
): Promise<TunnelProcesses> {
  const { server, port: controlPort } = await startServerProcess(['--port', '0', ...args]);
  let client: TunnelProcess | undefined;
  const stop = async (): Promise<void> => {
    // The client first: it would start to reconnect.
    await client?.[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  try {
    client = await startClientProcess(controlPort, targetPort, [...args, ...clientArgs]);
    const port = publicPortOf(await client.waitForEvent('ready'));
    return { server, client, port, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function start(args: readonly string[], options: TunnelOptions): Promise<TunnelProcess> {
  return startTunnel([...args, '--output', 'json'], {
    ...options,
    env: { TUNNEL_SECRET: TEST_SECRET, ...options.env },
  });
}
