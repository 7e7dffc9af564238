import type { Client } from '@tunnel/client';
import type { Server } from '@tunnel/server';
import type { Output } from '../output/output.ts';
import type { AdminAddress } from '../values/admin-address.ts';
import { type AdminServer, type AdminSource, type Readiness, serveAdmin } from './admin-server.ts';
import { clientReadiness, serverReadiness } from './readiness.ts';

/** Opens the admin endpoint of a server, if requested. */
export function openServerAdmin(
  address: AdminAddress | undefined,
  server: Server,
  output: Output,
  version: string,
): Promise<AdminServer | undefined> {
  return openAdmin(address, output, async () => {
    // Loaded here so that only those who use it wait for it.
    const { serverMetrics } = await import('./server-metrics.ts');
    return { readiness: () => serverReadiness(server.status()), metrics: serverMetrics(server, version) };
  });
}

/** The admin endpoint of the clients of a process. */
export interface ClientAdmin extends AsyncDisposable {
  watch(client: Client): void;
  /** The client is no longer needed. */
  forget(client: Client): void;
}

/** Opens the admin endpoint of clients, if requested. */
export async function openClientAdmin(
  address: AdminAddress | undefined,
  output: Output,
  version: string,
): Promise<ClientAdmin | undefined> {
  if (address === undefined) return undefined;
  const { ClientMetrics } = await import('./client-metrics.ts');
  const metrics = new ClientMetrics(version);
  const clients = new Set<Client>();
  const readiness = (): Readiness => clientReadiness([...clients].map((client) => client.status()));
  const admin = await openAdmin(address, output, async () => ({ readiness, metrics }));
  return {
    watch: (client) => {
      clients.add(client);
      metrics.watch(client);
    },
    forget: (client) => {
      clients.delete(client);
      metrics.forget(client);
    },
    [Symbol.asyncDispose]: async () => admin?.[Symbol.asyncDispose](),
  };
}

async function openAdmin(
  address: AdminAddress | undefined,
  output: Output,
  makeSource: () => Promise<AdminSource>,
): Promise<AdminServer | undefined> {
  if (address === undefined) return undefined;
  const admin = await serveAdmin(address, await makeSource());
  if (output.audience === 'people') output.stdout.write(`admin endpoint at ${admin.address}`);
  else output.log.info({ address: admin.address }, 'admin endpoint');
  return admin;
}
