import { type Client, type ClientEvents, type ClientOptions, createClient, parseServerAddress } from '@tunnel/client';
import { createServer, type Server, type ServerOptions } from '@tunnel/server';
import { randomBytes } from '@tunnel/shared/node';

export const TEST_SECRET = 'a secret of the tests, long enough';

/** A running server of the library; `close` aborts it. */
export interface RunningServer extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
}

/** Starts a server on a free loopback port. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = createServer({
    host: '127.0.0.1',
    port: 0,
    identity: randomBytes(32),
    secret: TEST_SECRET,
    ...options,
  });
  const { port } = await server.start();
  return { server, port, [Symbol.asyncDispose]: async () => server.abort() };
}

/** A started client of the library; disposing aborts it. */
export interface RunningClient extends AsyncDisposable {
  readonly client: Client;
  /** The next event of this name, from now on. */
  next<K extends keyof ClientEvents>(name: K): Promise<ClientEvents[K]>;
  /** Public ports of the last `ready`, in the targets' order. */
  readonly ports: readonly number[];
}

/** Starts a client of a server at a loopback port and waits until it is ready, unless told not to. */
export async function startClient(
  serverPort: number,
  targetPorts: readonly number[],
  options: Partial<ClientOptions> & { readonly waitsForReady?: boolean } = {},
): Promise<RunningClient> {
  const { waitsForReady = true, ...rest } = options;
  const client = createClient({
    server: parseServerAddress(`127.0.0.1:${serverPort}`),
    identity: randomBytes(32),
    secret: TEST_SECRET,
    tunnels: targetPorts.map((port) => ({ target: { host: '127.0.0.1', port } })),
    ...rest,
  });
  let ports: readonly number[] = [];
  client.on('ready', ({ tunnels }) => {
    ports = tunnels.map(({ port }) => port);
  });
  const next = <K extends keyof ClientEvents>(name: K): Promise<ClientEvents[K]> =>
    new Promise((resolve) => client.once(name, resolve as never));
  const ready = next('ready');
  const stopped = next('stopped');
  client.start();
  if (waitsForReady) {
    const end = await Promise.race([ready, stopped]);
    if ('exitCode' in end) throw new Error(`the client stopped: ${end.code} ${end.reason}`);
  }
  return {
    client,
    next,
    get ports() {
      return ports;
    },
    [Symbol.asyncDispose]: async () => client.abort(),
  };
}
