import { startTunnel, type TunnelProcess } from './command.ts';
import { TEST_SECRET } from './pair.ts';

/** The command as a server and as a client of it, with one tunnel to a local service. */
export interface TunnelProcesses extends AsyncDisposable {
  readonly server: TunnelProcess;
  readonly client: TunnelProcess;
  /** The public port. */
  readonly port: number;
}

/** Starts both on loopback, with homes of their own, and waits until the tunnel is open. */
export async function startTunnelProcesses(targetPort: number): Promise<TunnelProcesses> {
  const started: TunnelProcess[] = [];
  const start = async (...args: string[]): Promise<TunnelProcess> => {
    const env = { TUNNEL_SECRET: TEST_SECRET };
    const tunnelProcess = await startTunnel([...args, '--output', 'json'], { env });
    started.push(tunnelProcess);
    return tunnelProcess;
  };
  const stop = async (): Promise<void> => {
    // The client first: it would start to reconnect.
    for (const tunnelProcess of started.toReversed()) await tunnelProcess[Symbol.asyncDispose]();
  };
  try {
    const server = await start('server', '--host', '127.0.0.1', '--port', '0');
    const { port: controlPort } = await server.waitForEvent('listening');
    const client = await start('local', `127.0.0.1:${targetPort}`, '--to', `127.0.0.1:${String(controlPort)}`);
    const { tunnels } = await client.waitForEvent('ready');
    const [tunnel] = tunnels as { readonly port: number }[];
    if (tunnel === undefined) throw new Error('a tunnel was asked for, and none is there');
    return { server, client, port: tunnel.port, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
