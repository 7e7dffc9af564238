// Very many clients in one process, each with a session of its own.
import { type Client, parseServerAddress } from '@tunnel/client';
import { createInternalClient } from '@tunnel/client/internal';
import { nodeCrypto, randomBytes } from '@tunnel/shared/node';
import { TEST_SECRET } from '@tunnel/test/support/pair';
import { serveCalls } from '../calls.ts';

/** Clients on their way to the server at a time. */
const AT_ONCE = 32;

/** The real one asks the kernel for its addresses every second, which a thousand clients need not all do. */
const surroundings = { monotonicMs: 0, wallMs: 0, addresses: '' };

const linked = new Set<Client>();

async function connect(serverPort: number): Promise<void> {
  const client = createInternalClient({
    server: parseServerAddress(`127.0.0.1:${serverPort}`),
    identity: randomBytes(32),
    secret: TEST_SECRET,
    tunnels: [{ target: { host: '127.0.0.1', port: 9 } }],
    lookAround: () => surroundings,
    crypto: nodeCrypto,
  });
  client.on('ready', () => linked.add(client));
  client.on('disconnected', () => linked.delete(client));
  await new Promise<void>((resolve, reject) => {
    client.on('ready', () => resolve());
    client.on('stopped', ({ code, reason }) => reject(new Error(`a client stopped: ${code} ${reason}`)));
    client.start();
  });
}

const calls = {
  /** Resolves when so many more clients have their tunnels. */
  async connect({ serverPort, count }: { serverPort: number; count: number }): Promise<void> {
    let left = count;
    const connectOthers = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await connect(serverPort);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, connectOthers));
  },

  /** Clients that have a link now. */
  linkedCount: () => linked.size,
};

export type ClientsCalls = typeof calls;

serveCalls(calls);
