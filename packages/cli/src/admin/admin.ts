import type { Client } from '@tunnel/client';
import type { Server } from '@tunnel/server';
import type { Output } from '../output/output.ts';
import type { AdminAddress } from '../values/admin-address.ts';
import { type AdminServer, type AdminSource, serveAdmin } from './admin-server.ts';
import { clientReadiness, serverReadiness } from './readiness.ts';

/** The admin endpoint of a server, where one was asked for. */
export function openServerAdmin(
  address: AdminAddress | undefined,
  server: Server,
  output: Output,
  version: string,
): Promise<AdminServer | undefined> {
  return openAdmin(address, output, async () => {
    // Only here, so that nobody else waits until all this is loaded.
    const { serverMetrics } = await import('./server-metrics.ts');
    return { readiness: () => serverReadiness(server.status()), metrics: serverMetrics(server, version) };
  });
}

/** The same for a client. */
export function openClientAdmin(
  address: AdminAddress | undefined,
  client: Client,
  output: Output,
  version: string,
): Promise<AdminServer | undefined> {
  return openAdmin(address, output, async () => {
    const { clientMetrics } = await import('./client-metrics.ts');
    return { readiness: () => clientReadiness(client.status()), metrics: clientMetrics(client, version) };
  });
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
