import { type Client, type ClientEvents, parseServerAddress } from '@tunnel/client';
import { createInternalClient, type InternalClientOptions } from '@tunnel/client/internal';
import { createServer, type Server, type ServerEvents, type ServerOptions } from '@tunnel/server';
import { randomBytes } from '@tunnel/shared/node';
import { EventLog } from './event-log.ts';
import type { Relay } from './relay.ts';

export const TEST_SECRET = 'a secret of the tests, long enough';

/** Without `stream`: there are two of them for each visitor. */
const CLIENT_EVENTS = [
  'ready',
  'disconnected',
  'retrying',
  'warning',
  'service',
  'visitors-refused',
  'stopped',
] as const;
const SERVER_EVENTS = [
  'client-connected',
  'client-disconnected',
  'client-resumed',
  'client-expired',
  'client-refused',
  'certificate-issued',
  'tunnel-opened',
  'tunnel-closed',
  'visitor-refused',
  'warning',
  'stopped',
] as const;

/** A running server of the library; `close` aborts it. */
export interface RunningServer extends AsyncDisposable {
  readonly server: Server;
  /** The private key, for a second start. */
  readonly identity: Uint8Array;
  readonly port: number;
  readonly log: EventLog<ServerEvents>;
}

/** Starts a server on a free loopback port. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const { identity = randomBytes(32) } = options;
  const server = createServer({
    host: '127.0.0.1',
    port: 0,
    identity,
    secret: TEST_SECRET,
    ...options,
  });
  const log = new EventLog<ServerEvents>(server, SERVER_EVENTS);
  const { port } = await server.start();
  return { server, identity, port, log, [Symbol.asyncDispose]: async () => server.abort() };
}

/** A started client of the library; disposing aborts it. */
export interface RunningClient extends AsyncDisposable {
  readonly client: Client;
  readonly log: EventLog<ClientEvents>;
  /** The next event of this name, from now on. */
  next<K extends keyof ClientEvents>(name: K): Promise<ClientEvents[K]>;
  /** Public ports of the last `ready`, in the targets' order. */
  readonly ports: readonly number[];
  /** The first of them. */
  readonly port: number;
}

/** Starts a client of a server at a loopback port and waits until it is ready, unless told not to. */
export async function startClient(
  serverPort: number,
  targetPorts: readonly number[],
  options: Partial<InternalClientOptions> & { readonly waitsForReady?: boolean } = {},
): Promise<RunningClient> {
  const { waitsForReady = true, ...rest } = options;
  const client = createInternalClient({
    server: parseServerAddress(`127.0.0.1:${serverPort}`),
    identity: randomBytes(32),
    secret: TEST_SECRET,
    tunnels: targetPorts.map((port) => ({ target: { host: '127.0.0.1', port } })),
    // Services in tests count who comes.
    ...rest,
  });
  const log = new EventLog<ClientEvents>(client, CLIENT_EVENTS);
  let ports: readonly number[] = [];
  client.on('ready', ({ tunnels }) => {
    ports = tunnels.flatMap(({ port }) => port ?? []);
  });
  const next = async <K extends keyof ClientEvents>(name: K): Promise<ClientEvents[K]> =>
    (await log.waitForNext(name)).event;
  client.start();
  if (waitsForReady) {
    const { name, event } = await log.waitForAny(['ready', 'stopped']);
    if (name === 'stopped') {
      const { code, reason } = event as ClientEvents['stopped'];
      throw new Error(`the client stopped: ${code} ${reason}`);
    }
  }
  return {
    client,
    log,
    next,
    get ports() {
      return ports;
    },
    get port() {
      return ports[0] ?? 0;
    },
    [Symbol.asyncDispose]: async () => client.abort(),
  };
}

/** Cuts the client behind this relay off, until the relay is told to let it through again, and waits until the server knows. */
export async function cutOff(server: RunningServer, relay: Relay): Promise<void> {
  const lost = server.log.waitForNext('client-disconnected');
  relay.refuse();
  relay.resetAll();
  await lost;
}
