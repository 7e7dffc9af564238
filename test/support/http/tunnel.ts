import type { ServerOptions } from '@tunnel/server';
import { type RunningClient, type RunningServer, startClient, startServer } from '../pair.ts';
import { type Relay, startRelay } from '../relay.ts';

/** The label of all of these tunnels; their host is `exchanges.localhost`. */
const LABEL = 'exchanges';

/** The name under which visitors find the service. Those who come directly say it, too, and the service does not mind. */
export const TUNNEL_HOST = `${LABEL}.localhost`;

/** An HTTP tunnel to a loopback port, whose link goes through a relay. */
export interface HttpTunnel extends AsyncDisposable {
  readonly server: RunningServer;
  readonly client: RunningClient;
  readonly relay: Relay;
  /** For visitors; the server's control port. */
  readonly port: number;
}

export async function startHttpTunnel(servicePort: number, options: Partial<ServerOptions> = {}): Promise<HttpTunnel> {
  const server = await startServer(options);
  const relay = await startRelay({ targetPort: server.port });
  const client = await startClient(relay.port, [], {
    tunnels: [{ target: { host: '127.0.0.1', port: servicePort }, http: { host: LABEL } }],
    maxReconnectDelayMs: 1_000,
  });
  return {
    server,
    client,
    relay,
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
